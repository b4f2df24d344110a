//! Objects made from objects: copies, rewrites, moves, and compositions.

use std::pin::pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answers::{ApiError, ApiResult, json};
use crate::call::{Call, Content};
use crate::gate::Subject;
use crate::metadata::{ObjectMetadata, check_custom};
use crate::names::check_object_name;
use crate::object::{Attributes, Checksums, Object};
use crate::params;
use crate::query::Preconditions;
use crate::resource::{Fields, ObjectResource};
use crate::script::Operation;
use crate::store::{Bucket, NewObject};

/// The most objects that one composition may have.
const MOST_COMPONENTS: usize = 32;

/// How an object gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// `copyTo`, which answers the object.
    Copy,
    /// `rewriteTo`, which answers how far it is; here it is done at once.
    Rewrite,
    /// `moveTo`, which leaves nothing at the old name.
    Move,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names)] // Named as Google names them.
struct Rewritten<'a> {
    kind: &'static str,
    total_bytes_rewritten: String,
    object_size: String,
    done: bool,
    resource: ObjectResource<'a>,
}

/// `POST …/o/{object}/copyTo/b/{bucket}/o/{name}`, `…/rewriteTo/…` and `…/moveTo/o/{name}`.
pub(crate) async fn transfer(
    call: Call<'_>,
    body: Content,
    how: Transfer,
    (to_bucket, to_name): (&str, &str),
) -> ApiResult {
    let source_conditions = [
        "sourceGeneration",
        "ifSourceGenerationMatch",
        "ifSourceGenerationNotMatch",
        "ifSourceMetagenerationMatch",
        "ifSourceMetagenerationNotMatch",
        // One rewrite does the whole, however little the client asks for.
        "maxBytesRewrittenPerCall",
    ];
    params::only(&call.query, &[&params::CONDITIONS, &source_conditions])?;
    let fields = match how {
        Transfer::Copy | Transfer::Move => Fields::of_object(call.query.get("fields"))?,
        Transfer::Rewrite => Fields::All,
    };
    let new_attributes = sent_attributes(&call.read(body).await?)?;
    let work = pin!(async {
        let store = &call.app.store;
        let conditions = Preconditions::of_source(&call.query)?;
        let from = store.bucket(&call.bucket)?;
        let generation = call.query.number("sourceGeneration")?;
        let source =
            from.find(&call.object, generation, conditions).map_err(ApiError::of_source)?;
        let bucket = store.bucket(to_bucket)?;
        let preconditions = Preconditions::from_query(&call.query)?;
        let new = copied(&call, &from, &source, to_name, new_attributes, preconditions).await?;
        let object = store.put(&bucket, new).await?;
        if how == Transfer::Move && *source.name != *to_name {
            let name = source.name.to_string();
            store.delete(&from, name, Some(source.generation), Preconditions::default()).await?;
        }
        let resource = ObjectResource::new(call.host(), &bucket.name, &object, &fields);
        match how {
            Transfer::Copy | Transfer::Move => json(&resource),
            Transfer::Rewrite => json(&Rewritten {
                kind: "storage#rewriteResponse",
                total_bytes_rewritten: object.size.to_string(),
                object_size: object.size.to_string(),
                done: true,
                resource,
            }),
        }
    });
    let (operation, head) = (Operation::Copy, call.head);
    let subject = Subject { operation, bucket: to_bucket, key: to_name, head };
    call.app.gate.run(subject, work).await
}

/// The attributes that the body of a copy gives the new object; `None` where it names none, and the
/// new object has those of the old one.
fn sent_attributes(json: &[u8]) -> Result<Option<Attributes>, ApiError> {
    let attributes = ObjectMetadata::parse(json)?.attributes();
    check_custom(&attributes)?;
    Ok((attributes != Attributes::default()).then_some(attributes))
}

/// A new object with the bytes of another.
pub(crate) async fn copied(
    call: &Call<'_>,
    from: &Arc<Bucket>,
    source: &Arc<Object>,
    name: &str,
    attributes: Option<Attributes>,
    preconditions: Preconditions,
) -> Result<NewObject, ApiError> {
    check_object_name(name)?;
    Ok(NewObject {
        name: name.to_owned(),
        attributes: attributes.unwrap_or_else(|| source.attributes.clone()),
        checksums: source.checksums.clone(),
        components: source.components,
        content: call.app.store.read(from, source).await?,
        preconditions,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composition {
    #[serde(default)]
    source_objects: Vec<Component>,
    #[serde(default)]
    destination: ObjectMetadata,
    #[serde(default)]
    delete_source_objects: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    name: String,
    /// A number, or its text.
    generation: Option<Value>,
    object_preconditions: Option<ComponentConditions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ComponentConditions {
    if_generation_match: Option<Value>,
}

/// `POST /storage/v1/b/{bucket}/o/{object}/compose`: one object after the other makes the new one.
pub(crate) async fn compose(call: Call<'_>, body: Content) -> ApiResult {
    params::only(&call.query, &[&["ifGenerationMatch", "ifMetagenerationMatch"]])?;
    let fields = Fields::of_object(call.query.get("fields"))?;
    let body = call.read(body).await?;
    let asked: Composition = serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid(format!("Invalid composition: {error}")))?;
    asked.destination.check()?;
    if asked.delete_source_objects == Some(true) {
        return Err(ApiError::not_implemented("the field 'deleteSourceObjects' of a composition"));
    }
    if !(1..=MOST_COMPONENTS).contains(&asked.source_objects.len()) {
        return Err(ApiError::invalid(format!(
            "a composition has 1 to {MOST_COMPONENTS} source objects, not {}",
            asked.source_objects.len()
        )));
    }
    check_object_name(&call.object)?;
    let work = pin!(async {
        let bucket = call.app.store.bucket(&call.bucket)?;
        let (content, components) = joined(&call, &bucket, &asked.source_objects).await?;
        let attributes = asked.destination.attributes();
        check_custom(&attributes)?;
        let new = NewObject {
            name: call.object.to_string(),
            attributes,
            checksums: Checksums::of(&content),
            components: Some(components),
            content,
            preconditions: Preconditions::from_query(&call.query)?,
        };
        let object = call.app.store.put(&bucket, new).await?;
        json(&ObjectResource::new(call.host(), &bucket.name, &object, &fields))
    });
    call.gate(Operation::Compose, &call.object, work).await
}

/// The bytes of all components, and of how many objects they were made.
async fn joined(
    call: &Call<'_>,
    bucket: &Arc<Bucket>,
    components: &[Component],
) -> Result<(Bytes, u32), ApiError> {
    let (mut content, mut count) = (BytesMut::new(), 0_u32);
    for component in components {
        let conditions = component.object_preconditions.as_ref();
        let wanted = conditions.and_then(|conditions| conditions.if_generation_match.as_ref());
        let conditions = Preconditions::generation(number(wanted)?);
        let generation = number(component.generation.as_ref())?;
        let object = bucket.find(&component.name, generation, conditions)?;
        content.extend_from_slice(&call.app.store.read(bucket, &object).await?);
        if content.len() > call.app.max_body {
            return Err(ApiError::too_large(call.app.max_body));
        }
        count = count.saturating_add(object.components.unwrap_or(1));
    }
    Ok((content.freeze(), count))
}

fn number(value: Option<&Value>) -> Result<Option<i64>, ApiError> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_i64(),
    };
    let wrong = || ApiError::invalid("Invalid composition: a generation is no number".to_owned());
    number.map(Some).ok_or_else(wrong)
}
