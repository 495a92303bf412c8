"""Requests that botocore would send, one JSON document per line: service, call and request.

For every operation of the services named as arguments (all of them without any), one call with no more than what the path
needs, and one with a value for every member down to a few levels.
"""

import base64
import datetime
import json
import re
import sys

import botocore.session
from botocore import serialize

INSTANT = datetime.datetime(2020, 9, 13, 12, 26, 40, tzinfo=datetime.timezone.utc)
# What botocore adds to or changes in the models itself.
ADDED = ["SourceRegion", "Expires"]
KNOWN = ["json", "rest-json", "rest-xml", "query", "ec2"]


def sample(shape, levels):
    """A value for botocore and the same for a call; None where the levels are used up."""
    kind = shape.type_name
    if kind == "structure":
        if levels == 0 and shape.members:
            return None
        if getattr(shape, "is_document_type", False):
            return {"any": [1, "x"]}, {"any": [1, "x"]}
        theirs, ours = {}, {}
        for name, member in shape.members.items():
            if name in ADDED:
                continue
            if getattr(member, "is_document_type", False):
                found = ({"any": [1]}, {"any": [1]})
            else:
                found = sample(member, levels - 1)
            if found is not None:
                theirs[name], ours[name] = found
                if shape.is_tagged_union:
                    break
        return theirs, ours
    if kind == "list":
        found = sample(shape.member, levels - 1) if levels else None
        return found and ([found[0]] * 2, [found[1]] * 2)
    if kind == "map":
        found = sample(shape.value, levels - 1) if levels else None
        return found and ({"k ey": found[0], "b": found[0]}, {"k ey": found[1], "b": found[1]})
    if kind == "blob":
        return b"\x00bytes", base64.b64encode(b"\x00bytes").decode()
    if kind == "timestamp":
        return INSTANT, INSTANT.timestamp()
    if kind == "boolean":
        return True, True
    if kind in ("integer", "long"):
        return 7, 7
    if kind in ("float", "double"):
        return 1.5, 1.5
    if "jsonvalue" in shape.serialization and shape.serialization.get("location") == "header":
        return {"a": 1}, {"a": 1}
    text = "t/e <x>&\"t\" \u00fc"
    return text, text


def minimal(shape):
    theirs, ours = {}, {}
    for name, member in (shape.members if shape else {}).items():
        if member.serialization.get("location") == "uri":
            theirs[name], ours[name] = sample(member, 1)
    return theirs, ours


def requests(name, service_model):
    protocols = service_model.metadata.get("protocols") or [service_model.metadata["protocol"]]
    protocol = next(p for p in KNOWN if p in protocols)
    serializer = serialize.create_serializer(protocol, include_validation=False)
    for operation in service_model.operation_names:
        operation_model = service_model.operation_model(operation)
        shape = operation_model.input_shape
        if operation_model.has_event_stream_input:
            continue
        full = sample(shape, 5) if shape else ({}, {})
        for theirs, ours in ([full] if full else []) + [minimal(shape)]:
            blob = None
            payload = shape.serialization.get("payload") if shape else None
            if payload and shape.members[payload].type_name == "blob":
                ours.pop(payload, None)
                blob = base64.b64encode(theirs.get(payload, b"")).decode()
            tokens = [m for m in (shape.members if shape else {}) if shape.members[m].metadata.get("idempotencyToken")]
            for token in tokens:
                theirs[token] = ours[token] = "token"
            for label in re.findall(r"{(\w+)}", (operation_model.endpoint or {}).get("hostPrefix", "")):
                theirs[label] = ours[label] = "label"
            request = serializer.serialize_to_request(theirs, operation_model)
            body = request["body"]
            if isinstance(body, (bytes, bytearray)):
                body = {"bytes": base64.b64encode(bytes(body)).decode()}
            elif isinstance(body, dict):
                body = {"form": body}
            else:
                body = {"text": body}
            query = request["query_string"]
            pairs = []
            for key, value in (query.items() if isinstance(query, dict) else query):
                pairs += [[key, str(v)] for v in (value if isinstance(value, list) else [value])]
            yield {
                "service": name,
                "operation": operation,
                "input": ours,
                "blob": blob,
                "method": request["method"],
                "path": request["url_path"],
                "query": pairs,
                "headers": {k.lower(): str(v) for k, v in request["headers"].items()},
                "body": body,
            }


def main():
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    for service in sys.argv[1:] or loader.list_available_services("service-2"):
        service_model = session.get_service_model(service)
        name = "".join(c for c in service_model.service_id if c.isalnum()).lower()
        for request in requests(name, service_model):
            print(json.dumps(request, default=str))


main()
