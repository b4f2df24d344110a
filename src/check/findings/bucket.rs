//! What is worth knowing of a bucket.

use super::{Finding, Severity};
use crate::sink::About;
use crate::text::shown;

/// What is worth knowing of a bucket before it is imported from.
pub(crate) fn of_bucket(about: &About) -> Vec<Finding> {
    let finding = |code, what, advice| Finding::new(Severity::Note, code, 1, what, advice);
    let location = about.location.as_deref().map(|location| {
        let kind = about.location_type.as_deref().unwrap_or("location");
        finding(
            "bucket-location",
            format!("the bucket is in the {} {}", shown(kind), shown(location)),
            "a Vertex AI data set imports fastest, and without transfer costs, in the same place",
        )
    });
    let unreadable = (about.vertex_agent_reads == Some(false)).then(|| {
        finding(
            "bucket-permission",
            "the bucket's own policy does not let a service agent of Vertex AI read".to_owned(),
            "where the project that trains is not the bucket's, grant its agent \
             service-NUMBER@gcp-sa-aiplatform.iam.gserviceaccount.com roles/storage.objectViewer",
        )
    });
    location.into_iter().chain(unreadable).collect()
}
