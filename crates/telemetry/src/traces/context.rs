//! Which trace an execution belongs to, and the ids of its spans.
//!
//! Nothing is remembered: ids follow from ARNs and event ids, so that whoever computes them again finds the same.

use opentelemetry::trace::{SpanId, TraceId};
use sha2::{Digest as _, Sha256};
use stepwell_store::ExecutionRow;

/// The place of an execution in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceContext {
    pub trace_id: TraceId,
    /// The caller's span, where it named one.
    pub parent: Option<SpanId>,
    /// Whether the caller wants it traced.
    pub is_sampled: bool,
}

impl TraceContext {
    /// The context of an execution that is nobody's child.
    pub(super) fn of(row: &ExecutionRow) -> TraceContext {
        let named = row.trace_header.as_deref().and_then(|text| traceparent(text).or_else(|| x_ray(text)));
        let own = own_trace_id(&row.info.execution_arn, row.info.start_ms);
        let mut context = named.unwrap_or(TraceContext { trace_id: own, parent: None, is_sampled: true });
        if context.trace_id == TraceId::INVALID {
            context.trace_id = own;
        }
        context
    }
}

/// The trace id of an execution whose caller named none. As X-Ray has it, it begins with the time in seconds.
fn own_trace_id(execution_arn: &str, start_ms: i64) -> TraceId {
    let seconds = u32::try_from(start_ms.div_euclid(1000)).unwrap_or(u32::MAX);
    let digest = Sha256::digest(execution_arn.as_bytes());
    let mut id = [0; 16];
    id[..4].copy_from_slice(&seconds.to_be_bytes());
    id[4..].copy_from_slice(&digest[..12]);
    TraceId::from_bytes(id)
}

/// The id of the span that began with this event.
pub(super) fn span_id(execution_arn: &str, event_id: u64) -> SpanId {
    let mut digest = Sha256::new();
    digest.update(execution_arn.as_bytes());
    digest.update(event_id.to_be_bytes());
    let digest = digest.finalize();
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    SpanId::from_bytes(id)
}

/// The id of an execution's own span: of its first run, or of the one that its redrive of this number began. No event's.
pub(super) fn root_id(execution_arn: &str, redrive: u32) -> SpanId {
    span_id(execution_arn, if redrive == 0 { 0 } else { u64::MAX - u64::from(redrive) })
}

/// `00-<trace id>-<span id>-<flags>`. Source: W3C Trace Context.
fn traceparent(text: &str) -> Option<TraceContext> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // A later version may have more parts; the first ever has four.
    let is_legible = version.len() == 2 && version != "ff" && (version != "00" || parts.next().is_none());
    let flags = hex::<1>(flags)?;
    let (trace_id, parent) = (TraceId::from_bytes(hex(trace)?), SpanId::from_bytes(hex(span)?));
    (is_legible && trace_id != TraceId::INVALID && parent != SpanId::INVALID).then_some(TraceContext {
        trace_id,
        parent: Some(parent),
        is_sampled: flags[0] & 1 == 1,
    })
}

/// `Root=1-<8 digits>-<24 digits>;Parent=<16 digits>;Sampled=1`, in any order; all but the root may be absent. A header
/// without a usable root gives no trace id, but may still say that nothing is to be traced.
/// Source: X-Ray developer guide, "Tracing header".
fn x_ray(text: &str) -> Option<TraceContext> {
    let member = |name: &str| {
        text.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=')).map(str::trim)
    };
    let root = member("Root").and_then(|root| {
        let (time, rest) = root.strip_prefix("1-")?.split_once('-')?;
        Some((hex::<4>(time)?, hex::<12>(rest)?))
    });
    let is_sampled = member("Sampled") != Some("0");
    let Some((time, rest)) = root else {
        return (!is_sampled).then_some(TraceContext {
            trace_id: TraceId::INVALID,
            parent: None,
            is_sampled,
        });
    };
    let mut id = [0; 16];
    id[..4].copy_from_slice(&time);
    id[4..].copy_from_slice(&rest);
    let parent = member("Parent").and_then(hex::<8>).map(SpanId::from_bytes);
    let parent = parent.filter(|parent| *parent != SpanId::INVALID);
    Some(TraceContext { trace_id: TraceId::from_bytes(id), parent, is_sampled })
}

/// Exactly `N` bytes, as digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(context: Option<TraceContext>) -> Option<(String, Option<String>, bool)> {
        context.map(|c| (c.trace_id.to_string(), c.parent.map(|parent| parent.to_string()), c.is_sampled))
    }

    #[test]
    fn headers_are_read_in_both_forms() {
        let x_ray_id = "5759e988bd862e3fe1be46a994272793".to_owned();
        let parent = Some("53995c3f42cd8ad8".to_owned());
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        for (text, expected) in [
            (format!("{root};Parent=53995c3f42cd8ad8;Sampled=1"), Some((x_ray_id.clone(), parent, true))),
            (format!("Sampled=0; {root}"), Some((x_ray_id.clone(), None, false))),
            (format!("{root};Parent=0000000000000000"), Some((x_ray_id, None, true))),
            ("Root=1-5759e988-bd86;Sampled=0".into(), Some(("0".repeat(32), None, false))),
            ("Root=1-5759e988-bd86".into(), None),
            ("anything".into(), None),
            ("".into(), None),
        ] {
            assert_eq!(shown(x_ray(&text)), expected, "{text}");
        }
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let known = |sampled| Some((trace.to_owned(), Some("b7ad6b7169203331".to_owned()), sampled));
        for (text, expected) in [
            (format!("00-{trace}-b7ad6b7169203331-01"), known(true)),
            (format!("00-{trace}-b7ad6b7169203331-00"), known(false)),
            (format!("cc-{trace}-b7ad6b7169203331-01-more"), known(true)),
            (format!("00-{trace}-b7ad6b7169203331-01-more"), None),
            (format!("ff-{trace}-b7ad6b7169203331-01"), None),
            (format!("00-{trace}-0000000000000000-01"), None),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            ("00-é".into(), None),
        ] {
            assert_eq!(shown(traceparent(&text)), expected, "{text}");
        }
    }

    #[test]
    fn own_ids_follow_from_the_arn() {
        let arn = "arn:aws:states:us-east-1:000000000000:execution:m:e";
        assert_eq!(own_trace_id(arn, 1_500), own_trace_id(arn, 1_999));
        assert!(own_trace_id(arn, 1_500).to_string().starts_with("00000001"));
        assert_ne!(own_trace_id(arn, 1_500), own_trace_id("arn:other", 1_500));
        assert_eq!(span_id(arn, 3), span_id(arn, 3));
        assert_ne!(span_id(arn, 3), span_id(arn, 4));
    }
}
