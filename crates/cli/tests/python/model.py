"""Requests made from AWS's own model of Step Functions, which boto3 brings along.

For every operation: valid requests that between them have every member, and for every member one violation of each of
its constraints, values of the wrong JSON type, and values just inside the limits. boto3 checks nothing before it sends
them, and must be able to read every answer. Answers are held against the model too: members, types, exceptions.
"""

import json
import re

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import valid_requests

VALIDATION = "com.amazon.coral.validate#ValidationException"
SERVICE = "com.amazonaws.swf.service.v2.model#"
# What any operation of any service may answer.
FRAMEWORK = {"ValidationException", "SerializationException"}
# What later models than the oldest boto3 in use say.
LATER = {"TaskToken": {"sensitive": True}}
# AWS prints the values of this enumeration in an order of its own.
PRINTED = {"ExecutionStatus": "SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Api:
    """Step Functions by boto3, unchecked; counts what it sends."""

    def __init__(self):
        config = Config(parameter_validation=False, inject_host_prefix=False, retries={"max_attempts": 0}, read_timeout=90)
        self.client = boto3.client("stepfunctions", config=config)
        self.model = self.client.meta.service_model
        for name, more in LATER.items():
            self.model._shape_resolver._shape_map[name].update(more)
        self.methods = {self.model.operation_model(op).name: method for method, op in self.client.meta.method_to_api_mapping.items()}
        self.sent = {}
        self.seen = set()
        self.pages = {}
        self.body = self.answer = None
        self.client.meta.events.register("before-call.sfn", self.replace_body)
        self.client.meta.events.register("before-parse.sfn", self.keep_answer)

    def replace_body(self, params, **_):
        if self.body is not None:
            params["body"] = self.body

    def keep_answer(self, response_dict, **_):
        self.answer = response_dict

    def send(self, kind, operation, request, by_boto3=True):
        """The answer as boto3 reads it, and the exception's code and message. Not `by_boto3`: its body is ours."""
        self.sent[kind] = self.sent.get(kind, 0) + 1
        self.body = None if by_boto3 else json.dumps(request).encode()
        call = getattr(self.client, self.methods[operation])
        where = f"{operation} {json.dumps(request)[:600]}"
        try:
            parsed = call(**(request if by_boto3 else {}))
            self.check_answer(operation, where)
            if "nextToken" in parsed:
                self.pages[operation] = (request, parsed["nextToken"])
            return parsed, None, None
        except ClientError as error:
            self.check_exception(operation, error, where)
            return None, error.response["Error"]["Code"], error.response["Error"]["Message"]

    def check_head(self, status, where):
        headers = {name.lower(): value for name, value in self.answer["headers"].items()}
        found = (self.answer["status_code"], headers.get("content-type"), bool(UUID.fullmatch(headers.get("x-amzn-requestid", ""))))
        assert found == (status, "application/x-amz-json-1.0", True), f"{where}: {found}"

    def check_answer(self, operation, where):
        self.check_head(200, where)
        value = json.loads(self.answer["body"])
        output = self.model.operation_model(operation).output_shape
        problems = list(self.problems(output, value, operation))
        assert not problems, f"{where}: {problems[:5]}"

    def check_exception(self, operation, error, where):
        self.check_head(400, f"{where}: {error}")
        body, code = json.loads(self.answer["body"]), error.response["Error"]["Code"]
        modelled = {shape.name for shape in self.model.operation_model(operation).error_shapes}
        assert code in modelled | FRAMEWORK, f"{where}: the model does not know {code}: {body}"
        if body["__type"].startswith(SERVICE):
            assert isinstance(error, getattr(self.client.exceptions, code)), f"{where}: {type(error)}"
            problems = list(self.problems(self.model.shape_for(code), {k: v for k, v in body.items() if k != "__type"}, code))
            assert not problems, f"{where}: {problems}"
        else:
            expected = VALIDATION if code == "ValidationException" else code
            assert (body["__type"], code in FRAMEWORK) == (expected, True), f"{where}: {body}"
        assert body["message"], f"{where}: {body}"

    def problems(self, shape, value, path):
        """What is wrong with an answer, by its model. Notes the members that are there."""
        self.seen.add(path)
        kind = shape.type_name if shape else "structure"
        types = {
            "structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int,
            "float": (int, float), "timestamp": (int, float),
        }[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
            yield f"{path} is {value!r}, not a {kind}"
            return
        if kind == "structure":
            members = shape.members if shape else {}
            for name in shape.required_members if shape else []:
                if name not in value:
                    yield f"{path} lacks {name}"
            for name, item in value.items():
                if name not in members:
                    yield f"{path} has an unknown {name}"
                else:
                    yield from self.problems(members[name], item, f"{path}.{name}")
        elif kind == "list":
            for item in value:
                yield from self.problems(shape.member, item, f"{path}[]")
        elif kind == "map":
            for item in value.values():
                yield from self.problems(shape.value, item, f"{path}.*")
        elif kind == "string" and shape.enum and value not in shape.enum:
            yield f"{path}: {value} is not one of {shape.enum}"
        elif kind == "timestamp" and not 1.6e9 < value < 5e9:
            yield f"{path}: {value} are no seconds since 1970"
        limits, size = shape.metadata if shape else {}, value if kind in ("integer", "long", "float") else None
        size = len(value) if kind in ("string", "list") else size
        if size is not None and not limits.get("min", size) <= size <= limits.get("max", size):
            yield f"{path}: {value!r} is outside of {limits}"


def example(shape):
    """A value that violates nothing, with all members."""
    kind = shape.type_name
    if kind == "structure":
        return {name: example(member) for name, member in shape.members.items()}
    if kind == "list":
        return [example(shape.member)]
    if kind == "string":
        return shape.enum[0] if shape.enum else "a"
    if kind == "boolean":
        return False
    assert kind in ("integer", "long", "float"), kind
    return max(1, shape.metadata.get("min", 1))


def printed(shape, value):
    """A value as AWS prints it."""
    if shape.metadata.get("sensitive"):
        return "***Sensitive Data Redacted***"
    if isinstance(value, dict):
        return f"{shape.name}({', '.join(f'{name}={printed(member, value[name])}' for name, member in shape.members.items())})"
    if isinstance(value, list):
        return f"[{', '.join(printed(shape.member, item) for item in value)}]"
    return str(float(value)) if shape.type_name == "float" else str(value)


def outside(shape):
    """Values that violate constraints, with what the exception says they must do."""
    limits, kind = shape.metadata, shape.type_name
    minimum, maximum = limits.get("min", 0), limits.get("max")
    if kind in ("integer", "long", "float"):
        if maximum is not None:
            yield maximum + 1, [f"have value less than or equal to {maximum}"]
        if "min" in limits:
            yield minimum - 1, [f"have value greater than or equal to {minimum}"]
    if kind in ("list", "string") and not shape.metadata.get("enum"):
        of_length = (lambda n: [example(shape.member)] * n) if kind == "list" else (lambda n: "a" * n)
        pattern = limits.get("pattern")
        matches = lambda text: pattern is None or re.fullmatch(pattern.replace(r"\p{ASCII}", r"[\x00-\x7f]"), text)
        must_match = f"satisfy regular expression pattern: {pattern}"
        if maximum is not None:
            yield of_length(maximum + 1), [f"have length less than or equal to {maximum}"]
        if minimum > 0:
            too_short = of_length(minimum - 1)
            more = [] if kind == "list" or matches(too_short) else [must_match]
            yield too_short, [f"have length greater than or equal to {minimum}", *more]
        if pattern:
            wrong = [text for text in ("ä", "a b", "12345", "a\nb", "a:b") if not matches(text)]
            assert wrong, pattern
            for text in wrong:
                yield text, [must_match]
    if kind == "string" and shape.enum:
        values = PRINTED.get(shape.name, ", ".join(shape.enum))
        for value in ("NO_SUCH_VALUE", shape.enum[0].lower(), ""):
            yield value, [f"satisfy enum value set: [{values}]"]


def inside(shape):
    """Values at the very limits."""
    limits, kind = shape.metadata, shape.type_name
    for value in (limits.get("min"), limits.get("max")):
        if value is None:
            continue
        if kind == "string" and (value > 0 or "pattern" not in limits):
            yield "a" * value
        elif kind == "list":
            yield [example(shape.member)] * value
        elif kind in ("integer", "long", "float"):
            yield value
    if kind == "string":
        yield from shape.enum or []
    if kind == "boolean":
        yield True
    if kind == "integer":
        yield float(example(shape))  # A whole number may be written so.
    if kind == "list" and not limits.get("min"):
        yield []


WRONG_TYPES = {
    "structure": ["text", [], 5, True],
    "list": ["text", {}, 5, False],
    "string": [5, 1.5, True, {}, []],
    "boolean": ["true", 1, {}, []],
    "integer": ["5", True, 5.5, 2**31, 1e300, {}, []],
    "long": ["5", True, 5.5, 2**63, {}, []],
    "float": ["5", True, {}, []],
}


def places(shape, whole, path=(), name=""):
    """Every place in a request: its shape, name in texts, whether it is required, and how to put a value there."""
    if shape.type_name == "structure":
        children = [(key, member, f"{name}.{key}".lstrip("."), key in shape.required_members) for key, member in shape.members.items()]
    elif shape.type_name == "list":
        children = [(0, shape.member, f"{name}.1.member", True)]
    else:
        return
    for key, member, label, required in children:
        at = (*path, key)

        def put(value, at=at):
            changed = json.loads(json.dumps(whole))
            holder = changed
            for step in at[:-1]:
                holder = holder[step]
            holder[at[-1]] = value
            return changed

        yield member, label, required, put
        yield from places(member, whole, at, label)


def violations(api, operation, shape):
    whole = example(shape)
    # Dummies satisfy the model, and are refused only for what they are, if at all.
    expected = api.send("valid by the model alone", operation, whole)[1]
    assert expected != "SerializationException", operation
    if api.answer["status_code"] == 400:
        assert json.loads(api.answer["body"])["__type"] != VALIDATION, api.answer["body"]
    for place, label, required, put in places(shape, whole):
        if required:
            request = put(None)
            # A missing member and one that is null are the same.
            for request in [request] if label.endswith("member") else [request, without_nulls(request)]:
                _, code, message = api.send("missing members", operation, request, by_boto3=False)
                wanted = f"1 validation error detected: Value null at '{label}' failed to satisfy constraint: Member must not be null"
                assert (code, message) == ("ValidationException", wanted), f"{operation} {label}: {code}: {message}"
        for value, musts in outside(place):
            _, code, message = api.send("violated constraints", operation, put(value))
            shown = "" if place.metadata.get("sensitive") else f" '{printed(place, value)}'"
            parts = {f"Value{shown} at '{label}' failed to satisfy constraint: Member must {must}" for must in musts}
            frame = f"{len(musts)} validation error{'s' * (len(musts) > 1)} detected: "
            assert code == "ValidationException" and message.startswith(frame), f"{operation} {label}: {code}: {message}"
            assert set(message.removeprefix(frame).split("; ")) == parts, f"{operation} {label}: {message}"
        for value in WRONG_TYPES[place.type_name]:
            _, code, message = api.send("wrong types", operation, put(value), by_boto3=False)
            assert code == "SerializationException", f"{operation} {label} {value!r}: {code}: {message}"
        for value in inside(place):
            by_boto3 = not isinstance(value, float)
            _, code, message = api.send("values at the limits", operation, put(value), by_boto3=by_boto3)
            body = json.loads(api.answer["body"])
            assert body.get("__type") not in (VALIDATION, "SerializationException"), f"{operation} {label} {value!r:.99}: {message}"
        if place.type_name == "structure":
            request = put({**example(place), "invented": [{"x": None}]})
            _, code, _ = api.send("unknown members", operation, request, by_boto3=False)
            assert code == expected, f"{operation} {label}: {code}, not {expected}"
    _, code, _ = api.send("unknown members", operation, {**whole, "invented": [{"x": None}], "Name": 5}, by_boto3=False)
    assert code == expected, f"{operation}: {code}, not {expected}"
    for body in ("text", [whole], 5, True):
        _, code, _ = api.send("wrong types", operation, body, by_boto3=False)
        assert code == "SerializationException", f"{operation} {body!r}: {code}"


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def paths(shape, path):
    """The paths of all members below a shape; a shape within itself only once."""
    if shape is None:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield f"{path}.{name}"
            yield from paths(member, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from paths(shape.member, f"{path}[]")


def paths_of(value, path):
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{path}.{name}"
            yield from paths_of(item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from paths_of(item, f"{path}[]")


def valid(api):
    """Requests that succeed: all members of all operations, and for each operation a minimal request."""
    given, minimal = set(), set()

    def ok(operation, **request):
        parsed, code, message = api.send("valid requests", operation, request)
        assert code is None, f"{operation} {json.dumps(request)[:600]}: {code}: {message}"
        shape = api.model.operation_model(operation).input_shape
        given.update(paths_of(request, operation))
        if set(request) == set(shape.required_members) | valid_requests.ALSO_NEEDED.get(operation, set()):
            minimal.add(operation)
        return parsed

    valid_requests.send(ok)
    names = set(api.model.operation_names)
    assert minimal >= names, f"without a minimal request: {sorted(names - minimal)}"
    known = {path for name in names for path in paths(api.model.operation_model(name).input_shape, name)}
    assert given >= known, f"members that no valid request has: {sorted(known - given)}"
    answers = {path for name in names for path in paths(api.model.operation_model(name).output_shape, name)}
    answers = {path for path in answers if not path.startswith("GetExecutionHistory.events[].")}
    unseen = answers - api.seen
    assert not unseen, f"members that no answer has: {sorted(unseen)}"
    return len(known), len(answers)


def arns(api):
    """ARNs of nothing, of something else, and of what is not there: exceptions that the operation's model has."""
    states = "arn:aws:states:us-east-1:000000000000"
    resources = {
        "stateMachine": ["missing", "missing:1", "missing:a", "missing/label", "full:99", "full:none", "full/none"],
        "execution": ["full:missing", "full/label:missing", "full"],
        "activity": ["missing", "full:none"],
        "mapRun": ["full/label:missing", "full"],
        "thing": ["a"],
    }
    for operation in api.model.operation_names:
        shape = api.model.operation_model(operation).input_shape
        for member in shape.members:
            if not member.endswith("Arn") or member == "roleArn":
                continue
            given = set(shape.required_members) | valid_requests.ALSO_NEEDED.get(operation, set()) - {"stateMachineArn"}
            request = {name: example(shape.members[name]) for name in given}
            if "definition" in request:
                request["definition"] = valid_requests.PASS
            _, code, message = api.send("ARNs", operation, {**request, member: "nonsense"})
            assert (code, message) == ("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: nonsense'"), f"{operation}: {code}: {message}"
            for kind, names in resources.items():
                for name in names:
                    arn = f"{states}:{kind}:{name}"
                    _, code, message = api.send("ARNs", operation, {**request, member: arn})
                    if member != "resourceArn" and not member.lower().startswith(kind.lower()):
                        wanted = f"Invalid Arn: 'Resource type not valid in this context: {kind}'"
                        assert (code, message) == ("InvalidArn", wanted), f"{operation} {arn}: {code}: {message}"
                    elif code is None:
                        assert operation.startswith("Delete") or name == "full:99", f"{operation} {arn} is there"


def tokens(api):
    """A token is good for the request it was given to, whatever the size of the page, and for no other."""
    def turned_away(operation, request, why):
        _, code, message = api.send("tokens", operation, request)
        assert (code, message) == ("InvalidToken", "Invalid Token: 'Invalid token'"), f"{why}: {operation} {request}: {code}"

    pages = dict(api.pages)
    for operation, (request, token) in pages.items():
        _, code, message = api.send("tokens", operation, {**request, "nextToken": token, "maxResults": 0})
        assert code is None, f"{operation}: {message}"
        for at in range(0, len(token), 5):
            other = "A" if token[at] != "A" else "B"
            turned_away(operation, {**request, "nextToken": token[:at] + other + token[at + 1:]}, "damaged")
        for damaged in (token[:-1], token[1:], token + "A", token[::-1], "ä", "="):
            turned_away(operation, {**request, "nextToken": damaged}, "damaged")
        for name, shape in api.model.operation_model(operation).input_shape.members.items():
            choices = getattr(shape, "enum", None)
            if shape.type_name == "boolean" or choices:
                values = choices or [True, False]
                other = next(value for value in values if value != request.get(name, name == "includeExecutionData"))
                turned_away(operation, {**request, name: other, "nextToken": token}, "of other arguments")
        for elsewhere, (its_request, _) in pages.items():
            if elsewhere != operation:
                turned_away(elsewhere, {**its_request, "nextToken": token}, f"of {operation}")
    assert len(pages) >= 6, sorted(pages)


def main():
    api = Api()
    names = api.model.operation_names
    assert len(names) == len(api.methods) == 37, names
    members = valid(api)
    tokens(api)
    arns(api)
    for name in names:
        violations(api, name, api.model.operation_model(name).input_shape)
    print(f"{len(names)} operations with {members[0]} members in requests and {members[1]} in answers; "
          f"{sum(api.sent.values())} requests: {', '.join(f'{count} {kind}' for kind, count in sorted(api.sent.items()))}")


if __name__ == "__main__":
    main()
