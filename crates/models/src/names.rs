//! How AWS's SDK for Java spells services and exceptions; Step Functions shows these names in errors.

/// The class name of a service with this `serviceId`: `DynamoDB` gives `DynamoDb`, `Secrets Manager` gives
/// `SecretsManager`, `SFN` gives `Sfn`.
#[must_use]
pub fn class_name(service_id: &str) -> String {
    words(service_id).iter().map(|word| capitalized(&word.to_ascii_lowercase())).collect()
}

/// The class name of the exception with this shape name: `NoSuchKey` gives `NoSuchKeyException`, `ClusterNotFoundFault`
/// gives `ClusterNotFoundException`.
#[must_use]
pub fn exception_name(shape: &str) -> String {
    let stem = shape.strip_suffix("Fault").or_else(|| shape.strip_suffix("Exception")).unwrap_or(shape);
    format!(
        "{}Exception",
        words(stem).iter().map(|word| capitalized(&word.to_ascii_lowercase())).collect::<String>()
    )
}

/// Splits where the spelling changes: at other characters than letters and digits, before a capital that begins a
/// word of several letters, after an acronym, before a version.
fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (at, &character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).map(|before| characters[before]);
        let after = characters.get(at + 1);
        let begins = before.is_some_and(|before| {
            let of_lower = before.is_ascii_lowercase()
                && character.is_ascii_uppercase()
                && after.is_some_and(char::is_ascii_alphanumeric);
            let after_acronym = before.is_ascii_uppercase()
                && character.is_ascii_uppercase()
                && after.is_some_and(char::is_ascii_lowercase);
            let after_number = before.is_ascii_digit() && character.is_ascii_alphabetic();
            of_lower || after_acronym || after_number
        });
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(character);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_spelled_as_in_java() {
        for (id, expected) in [
            ("DynamoDB", "DynamoDb"),
            ("SFN", "Sfn"),
            ("SQS", "Sqs"),
            ("S3", "S3"),
            ("EC2", "Ec2"),
            ("EventBridge", "EventBridge"),
            ("Secrets Manager", "SecretsManager"),
            ("CloudWatch Logs", "CloudWatchLogs"),
            ("Elastic Load Balancing v2", "ElasticLoadBalancingV2"),
            ("ApiGatewayV2", "ApiGatewayV2"),
            ("IoT", "Iot"),
            ("Lambda", "Lambda"),
        ] {
            assert_eq!(class_name(id), expected);
        }
    }

    #[test]
    fn exceptions_end_alike() {
        for (shape, expected) in [
            ("NoSuchKey", "NoSuchKeyException"),
            ("ResourceNotFoundException", "ResourceNotFoundException"),
            ("ClusterNotFoundFault", "ClusterNotFoundException"),
            ("KMSAccessDeniedException", "KmsAccessDeniedException"),
            ("DBClusterNotFoundFault", "DbClusterNotFoundException"),
            ("EC2AccessDeniedException", "Ec2AccessDeniedException"),
        ] {
            assert_eq!(exception_name(shape), expected);
        }
    }
}
