//! Describe: where the time of the start went.

use ttrpc::Status;

use crate::clients::Outcome;
use crate::container::Container;
use crate::proto::berth;

/// Answers Describe.
///
/// # Errors
/// None.
pub fn describe(container: &Container) -> Result<Outcome, Status> {
    Ok(Outcome::message(&berth::DescribeResponse { micros: container.micros.clone() }))
}
