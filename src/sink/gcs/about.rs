//! What a bucket and its policy say to a reader of answers. Pure: no connection, no clock.

use serde::Deserialize;

use super::super::{About, Fault};
use super::answer::parse;

/// A bucket as `fields=location,locationType,projectNumber` gives it. Numbers of 64 bits are strings in
/// Google's JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BucketAnswer {
    location: Option<String>,
    location_type: Option<String>,
    project_number: Option<String>,
}

/// A bucket's IAM policy (<https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy>).
#[derive(Deserialize)]
struct PolicyAnswer {
    #[serde(default)]
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
struct Binding {
    role: String,
    #[serde(default)]
    members: Vec<String>,
    condition: Option<serde::de::IgnoredAny>,
}

/// Google's own roles that include `storage.objects.get`
/// (<https://cloud.google.com/storage/docs/access-control/iam-roles>).
const READERS: [&str; 7] = [
    "roles/storage.objectViewer",
    "roles/storage.objectUser",
    "roles/storage.objectAdmin",
    "roles/storage.folderAdmin",
    "roles/storage.admin",
    "roles/storage.legacyObjectReader",
    "roles/storage.legacyObjectOwner",
];

/// Where and whose a bucket is.
pub(super) fn of_bucket(answer: &[u8]) -> Result<About, Fault> {
    let BucketAnswer { location, location_type, project_number } = parse(answer)?;
    // No project of Google has the number 0, which emulators give.
    let project_number = project_number.and_then(|text| text.parse().ok()).filter(|n| *n > 0);
    Ok(About { location, location_type, project_number, vertex_agent_reads: None })
}

/// Whether a policy lets a service agent of Vertex AI read objects, whichever project trains; unknown
/// where that hangs on a condition, on a group's members or on a role of the user's own.
pub(super) fn vertex_agent_reads(policy: &[u8]) -> Result<Option<bool>, Fault> {
    let policy: PolicyAnswer = parse(policy)?;
    let mut unclear = false;
    for Binding { role, members, condition } in &policy.bindings {
        let reads = READERS.contains(&role.as_str());
        // Google's own roles begin with "roles/", others with their project or organisation.
        let may_read = reads || !role.starts_with("roles/");
        let agent = members.iter().any(|member| is_agent(member));
        let group = members.iter().any(|member| member.starts_with("group:"));
        if agent && reads && condition.is_none() {
            return Ok(Some(true));
        }
        unclear |= may_read && (agent || group);
    }
    Ok((!unclear).then_some(false))
}

/// Everybody, every account, or `service-PROJECT_NUMBER@gcp-sa-aiplatform.iam.gserviceaccount.com`
/// (<https://cloud.google.com/iam/docs/service-agents>).
fn is_agent(member: &str) -> bool {
    let project = member
        .strip_prefix("serviceAccount:service-")
        .and_then(|rest| rest.strip_suffix("@gcp-sa-aiplatform.iam.gserviceaccount.com"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(member, "allUsers" | "allAuthenticatedUsers") || project.is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_says_where_and_whose_it_is() {
        let answer =
            br#"{"location":"US-CENTRAL1","locationType":"region","projectNumber":"123456789012"}"#;
        let about = of_bucket(answer).unwrap();
        assert_eq!(about.location.as_deref(), Some("US-CENTRAL1"));
        assert_eq!(about.location_type.as_deref(), Some("region"));
        assert_eq!(about.project_number, Some(123_456_789_012));
        let nothing = About::default();
        assert_eq!(of_bucket(b"{}").unwrap(), nothing);
        assert_eq!(of_bucket(br#"{"projectNumber":"0"}"#).unwrap(), nothing);
        assert_eq!(of_bucket(br#"{"projectNumber":"many"}"#).unwrap(), nothing);
        assert!(of_bucket(b"<html>").is_err());
    }

    #[test]
    fn a_policy_says_whether_vertex_ai_may_read() {
        const AGENT: &str = "serviceAccount:service-12@gcp-sa-aiplatform.iam.gserviceaccount.com";
        let reads = |role: &str, member: &str, more: &str| {
            let binding =
                format!(r#"{{"role":"{role}","members":["user:a@b.c","{member}"]{more}}}"#);
            let policy = format!(r#"{{"kind":"storage#policy","bindings":[{binding}]}}"#);
            vertex_agent_reads(policy.as_bytes()).unwrap()
        };
        for role in READERS {
            assert_eq!(reads(role, AGENT, ""), Some(true), "{role}");
        }
        let viewer = "roles/storage.objectViewer";
        for member in ["allUsers", "allAuthenticatedUsers"] {
            assert_eq!(reads(viewer, member, ""), Some(true), "{member}");
        }
        for (role, member) in [
            ("roles/storage.objectCreator", AGENT),
            ("roles/storage.legacyBucketReader", AGENT),
            ("roles/storage.legacyBucketOwner", "allUsers"),
            (viewer, "projectViewer:p"),
            (viewer, "serviceAccount:service-12@gcp-sa-aiplatform-cc.iam.gserviceaccount.com"),
            (viewer, "serviceAccount:service-x@gcp-sa-aiplatform.iam.gserviceaccount.com"),
            (viewer, "serviceAccount:service-@gcp-sa-aiplatform.iam.gserviceaccount.com"),
            (viewer, "deleted:serviceAccount:service-12@gcp-sa-aiplatform.iam.gserviceaccount.com"),
            ("roles/storage.objectCreator", "group:g@b.c"),
        ] {
            assert_eq!(reads(role, member, ""), Some(false), "{role} {member}");
        }
        let condition = r#","condition":{"title":"t","expression":"false"}"#;
        assert_eq!(reads(viewer, AGENT, condition), None, "nobody evaluates it here");
        assert_eq!(reads(viewer, "user:d@b.c", condition), Some(false));
        assert_eq!(reads("projects/p/roles/mine", AGENT, ""), None, "who knows what it includes");
        assert_eq!(reads(viewer, "group:g@b.c", ""), None, "who knows who is in it");
    }

    #[test]
    fn one_clear_grant_is_enough() {
        let policy = br#"{"bindings":[
            {"role":"roles/storage.objectViewer","members":["group:g@b.c"]},
            {"role":"roles/storage.admin",
             "members":["serviceAccount:service-12@gcp-sa-aiplatform.iam.gserviceaccount.com"]}]}"#;
        assert_eq!(vertex_agent_reads(policy).unwrap(), Some(true));
        assert_eq!(vertex_agent_reads(br#"{"bindings":[]}"#).unwrap(), Some(false));
        assert_eq!(vertex_agent_reads(b"{}").unwrap(), Some(false));
        assert!(vertex_agent_reads(b"[1]").is_err());
    }
}
