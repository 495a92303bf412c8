//! TLS for a port: certificate and key from PEM files, read again when asked, without a connection being lost.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto};
use tokio_rustls::TlsAcceptor;

/// Why a certificate or its key cannot be used. No text holds anything of the key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error("cannot read {what} from {}: {reason}", path.display())]
    File {
        /// `a certificate` or `a private key`.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// They do not belong together, or their kind is not supported.
    #[error("the certificate in {} and the key in {} cannot be used: {reason}", certificate.display(), key.display())]
    Unusable {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A port's certificate and key. Cheap to clone; the clones are one.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.current.certificate).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Current {
    certificate: PathBuf,
    key: PathBuf,
    loaded: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// TLS 1.2 and 1.3 with the chain in the PEM file `certificate` (the server's own first) and the key in the PEM
    /// file `key` (PKCS #8, PKCS #1 or SEC1).
    pub fn load(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Tls, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let loaded = RwLock::new(load(&certificate, &key)?);
        let current = Arc::new(Current { certificate, key, loaded });
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| current.unusable(&error))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), current })
    }

    /// Reads both files again; new connections get what they hold now.
    ///
    /// Errors: they cannot be used; what was loaded before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = load(&self.current.certificate, &self.current.key)?;
        *self.current.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl Current {
    fn unusable(&self, error: &rustls::Error) -> TlsError {
        unusable(&self.certificate, &self.key, error)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string());
    let chain = chain
        .and_then(|chain| if chain.is_empty() { Err("there is none in it".to_owned()) } else { Ok(chain) });
    let file = |what, path: &Path, reason| TlsError::File { what, path: path.to_owned(), reason };
    let chain = chain.map_err(|reason| file("a certificate", certificate, reason))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| file("a private key", key, without_content(&error)))?;
    let pair = CertifiedKey::from_der(chain, private, &crypto::ring::default_provider());
    Ok(Arc::new(pair.map_err(|error| unusable(certificate, key, &error))?))
}

/// What is wrong with a key's file, without a line of it.
fn without_content(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "there is none in it".to_owned(),
        _ => "it is no PEM file".to_owned(),
    }
}

fn unusable(certificate: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    TlsError::Unusable { certificate: certificate.to_owned(), key: key.to_owned(), reason: error.to_string() }
}
