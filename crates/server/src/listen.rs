//! Whether it is safe to listen on an address.

use std::net::SocketAddr;

/// Listening there would let strangers run workflows and functions on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "refusing to listen on {address}: it can be reached from other machines and no credentials are configured, so \
     anybody there could run code here; listen on 127.0.0.1, configure credentials (and TLS, without which payloads \
     and secrets can be read on the way), or allow it explicitly"
)]
pub struct ListenRefused {
    /// The address asked for.
    pub address: SocketAddr,
}

/// Refuses an address off loopback, unless requests must be signed or the operator takes the risk explicitly.
pub fn check_listen_address(
    address: SocketAddr,
    credentials_configured: bool,
    allow_insecure: bool,
) -> Result<(), ListenRefused> {
    let safe = address.ip().to_canonical().is_loopback() || credentials_configured || allow_insecure;
    if safe { Ok(()) } else { Err(ListenRefused { address }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_open_without_credentials() {
        for (address, credentials, insecure, allowed) in [
            ("127.0.0.1:8083", false, false, true),
            ("127.9.9.9:1", false, false, true),
            ("[::1]:8083", false, false, true),
            ("[::ffff:127.0.0.1]:8083", false, false, true),
            ("0.0.0.0:8083", false, false, false),
            ("[::]:8083", false, false, false),
            ("192.168.1.5:8083", false, false, false),
            ("0.0.0.0:8083", true, false, true),
            ("0.0.0.0:8083", false, true, true),
        ] {
            let address = address.parse().expect(address);
            assert_eq!(check_listen_address(address, credentials, insecure).is_ok(), allowed, "{address}");
        }
    }
}
