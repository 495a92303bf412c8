//! Code that comes with a request: `ZipFile`, an object in S3, or a directory of this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stepwell_aws::Fault;

use crate::Inner;
use crate::code::{self, ZIPPED_BYTES_MAX};
use crate::faults;
use crate::record::{Code, FunctionRecord};
use crate::validate::{Input, Problems};

/// `S3Bucket` of code that is a directory of this machine; `S3Key` is then its absolute path. Our own extension.
const LOCAL_BUCKET: &str = "__local__";

/// Code that was checked and can be stored.
pub(super) struct NewCode {
    code: Code,
    sha256: String,
    bytes: u64,
    pub(super) archive: Option<Vec<u8>>,
}

impl NewCode {
    /// Puts it into a record.
    pub(super) fn apply(&self, record: &mut FunctionRecord) {
        record.code = self.code.clone();
        record.code_sha256 = self.sha256.clone();
        record.code_bytes = self.bytes;
    }
}

/// Reads the code members of `input` (`Code` of CreateFunction, or UpdateFunctionCode itself).
pub(super) async fn read(inner: &Arc<Inner>, input: &Input<'_>) -> Result<NewCode, Fault> {
    if input.get("ImageUri").is_some() {
        return Err(faults::invalid_parameter(
            "Functions from container images are not supported by Stepwell",
        ));
    }
    let (bucket, key) = (input.text("S3Bucket")?, input.text("S3Key")?);
    match (input.text("ZipFile")?, bucket, key) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(faults::invalid_parameter(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
        (Some(text), None, None) => {
            let bytes = code::from_base64(text)
                .ok_or_else(|| Fault::new("SerializationException", "ZipFile is not valid base64"))?;
            if bytes.len() > ZIPPED_BYTES_MAX {
                return Err(Fault::new(
                    "RequestEntityTooLargeException",
                    format!("The zipped code must be smaller than {ZIPPED_BYTES_MAX} bytes; put larger code into S3"),
                )
                .with_status(413));
            }
            archive(bytes).await
        }
        (None, Some(LOCAL_BUCKET), Some(path)) => directory(path).await,
        (None, Some(bucket), Some(key)) => {
            let mut problems = Problems::new();
            problems.length("s3Bucket", bucket, 3, 63);
            problems.length("s3Key", key, 1, 1024);
            problems.fault()?;
            from_s3(inner, bucket, key).await
        }
        _ => Err(faults::invalid_parameter("Please provide a source for function code.")),
    }
}

async fn from_s3(inner: &Inner, bucket: &str, key: &str) -> Result<NewCode, Fault> {
    let Some(store) = &inner.ground.options.code_store else {
        return Err(faults::invalid_parameter(
            "Code in S3 is not available on this server; send it as ZipFile, or name a directory",
        ));
    };
    match store.fetch(bucket, key).await {
        Ok(Some(bytes)) => archive(bytes.to_vec()).await,
        Ok(None) => Err(faults::invalid_parameter(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not \
             exist.",
        )),
        Err(reason) => Err(faults::invalid_parameter(format!("Error occurred while GetObject. {reason}"))),
    }
}

async fn archive(bytes: Vec<u8>) -> Result<NewCode, Fault> {
    blocking(move || {
        code::check_archive(&bytes)?;
        let hash = code::sha256(&bytes);
        Ok(NewCode {
            code: Code::Archive(code::hex(&hash)),
            sha256: code::base64_text(&hash),
            bytes: bytes.len() as u64,
            archive: Some(bytes),
        })
    })
    .await
}

async fn directory(path: &str) -> Result<NewCode, Fault> {
    let root = PathBuf::from(path);
    if !Path::new(path).is_absolute() {
        return Err(faults::invalid_parameter(format!(
            "The path of the code's directory must be absolute: {path}"
        )));
    }
    blocking(move || {
        let (bytes, hash) = code::survey(&root).map_err(|e| {
            faults::invalid_parameter(format!("The code's directory {} cannot be read: {e}", root.display()))
        })?;
        Ok(NewCode {
            code: Code::Directory(root.to_string_lossy().into_owned()),
            sha256: code::base64_text(&hash),
            bytes,
            archive: None,
        })
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(faults::service(e.to_string())))
}
