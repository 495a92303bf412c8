//! Names of queues: the name itself, its URL, its ARN.

use stepwell_aws::arn::Arn;
use stepwell_aws::{Account, Fault};

use crate::fault;
use crate::limits::NAME_CHARS_MAX;

/// Where clients reach us when a call does not say.
const ORIGIN_DEFAULT: &str = "http://127.0.0.1:8083";

/// The suffix that FIFO queues, and only they, have.
pub(crate) const FIFO_SUFFIX: &str = ".fifo";

/// Checks a new queue's name against its kind.
pub(crate) fn check_name(name: &str, fifo: bool) -> Result<(), Fault> {
    let stem = if fifo { name.strip_suffix(FIFO_SUFFIX).unwrap_or("") } else { name };
    let fits = !stem.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(())
    } else if fifo {
        Err(fault::invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end \
             with .fifo suffix and be 1 to 80 in length.",
        ))
    } else {
        Err(fault::invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ))
    }
}

/// The URL under which a client that reached us at `origin` (`http://host:port`) finds the queue `name`.
pub(crate) fn url(origin: Option<&str>, account: &Account, name: &str) -> String {
    format!("{}/{}/{name}", origin.unwrap_or(ORIGIN_DEFAULT), account.id)
}

/// The queue that `url` names. Scheme and host do not matter: URLs written for AWS, or for another port of ours, mean
/// the same queue. The path must end in `/<account>/<name>`.
pub(crate) fn name_in_url<'a>(url: &'a str, account: &Account) -> Result<&'a str, Fault> {
    let mut parts = url.rsplitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(owner), Some(_)) if !name.is_empty() && !owner.is_empty() => {
            if owner == account.id { Ok(name) } else { Err(fault::queue_does_not_exist()) }
        }
        _ => Err(fault::invalid_address(url)),
    }
}

/// The name in the ARN of a queue of this account and region; `None` for any other ARN.
pub(crate) fn name_in_arn<'a>(arn: &'a str, account: &Account) -> Option<&'a str> {
    let arn = Arn::parse(arn)?;
    let ours = arn.service == "sqs"
        && arn.partition == account.partition
        && arn.region == account.region
        && arn.account == account.id;
    (ours && !arn.resource.is_empty()).then_some(arn.resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_host_leads_to_the_same_queue() {
        let account = Account::default();
        for url in [
            "http://127.0.0.1:8083/000000000000/q",
            "https://sqs.eu-west-1.amazonaws.com/000000000000/q",
            "/000000000000/q",
            "http://h/deep/path/000000000000/q",
        ] {
            assert_eq!(name_in_url(url, &account).expect(url), "q");
        }
        assert_eq!(
            name_in_url("http://h/111111111111/q", &account).expect_err("other").code,
            "QueueDoesNotExist"
        );
        for url in ["", "q", "000000000000/q", "http://h/000000000000/"] {
            assert_eq!(name_in_url(url, &account).expect_err(url).code, "InvalidAddress", "{url}");
        }
    }

    #[test]
    fn names_follow_their_kind() {
        for (name, fifo, fits) in [
            ("orders-1_a", false, true),
            ("orders.fifo", true, true),
            ("orders.fifo", false, false),
            ("orders", true, false),
            (".fifo", true, false),
            ("", false, false),
            ("a b", false, false),
            (&"a".repeat(80), false, true),
            (&"a".repeat(81), false, false),
        ] {
            assert_eq!(check_name(name, fifo).is_ok(), fits, "{name} {fifo}");
        }
    }
}
