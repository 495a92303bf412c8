//! The API's shapes, texts and errors; no process runs here.

use serde_json::{Value, json};
use stepwell_aws::Fault;

use crate::support::{Bench, ROLE, zip, zip_text};

fn basic(name: &str) -> Value {
    json!({"FunctionName": name, "Runtime": "python3.12", "Handler": "index.main", "Role": ROLE,
        "Code": {"ZipFile": zip_text(&[("index.py", "def main(e, c):\n    return 1\n")])}})
}

fn with(mut input: Value, name: &str, value: Value) -> Value {
    input[name] = value;
    input
}

fn refused(result: Result<Value, Fault>, status: u16, code: &str, text: &str) {
    let fault = result.expect_err("is refused");
    assert!(
        fault.status == status && fault.code == code && fault.message.contains(text),
        "{} {fault}, expected {status} {code} {text}",
        fault.status
    );
}

#[tokio::test]
async fn a_function_is_created_shown_listed_and_deleted() {
    let bench = Bench::new();
    let input = with(
        with(basic("f"), "Tags", json!({"k": "v"})),
        "VpcConfig",
        json!({"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}),
    );
    let made = bench.call("CreateFunction", input).await.expect("is created");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let expected = json!({
        "FunctionName": "f", "FunctionArn": arn, "Runtime": "python3.12", "Role": ROLE, "Handler": "index.main",
        "Description": "", "Timeout": 3, "MemorySize": 128, "Version": "$LATEST", "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip", "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512}, "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
        "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"], "VpcId": ""},
    });
    for (name, value) in expected.as_object().expect("a structure") {
        assert_eq!(&made[name], value, "{name}");
    }
    assert_eq!(made["CodeSha256"].as_str().map(str::len), Some(44));
    let modified = made["LastModified"].as_str().expect("a time");
    assert!(modified.len() == 28 && modified.ends_with("+0000"), "{modified}");

    let got = bench.call("GetFunction", json!({"FunctionName": arn})).await.expect("is shown");
    assert_eq!((&got["Configuration"], &got["Tags"]), (&made, &json!({"k": "v"})));
    let qualified =
        bench.call("GetFunctionConfiguration", json!({"FunctionName": "f", "Qualifier": "$LATEST"})).await;
    assert_eq!(qualified.expect("is shown")["FunctionArn"], format!("{arn}:$LATEST"));
    let archive = bench.reply(json!({}), "").await;
    assert!(archive.is_err());

    refused(
        bench.call("CreateFunction", basic("f")).await,
        409,
        "ResourceConflictException",
        "Function already exist: f",
    );
    bench.call("DeleteFunction", json!({"FunctionName": "f"})).await.expect("is deleted");
    let text = format!("Function not found: {arn}");
    refused(
        bench.call("GetFunction", json!({"FunctionName": "f"})).await,
        404,
        "ResourceNotFoundException",
        &text,
    );
    refused(
        bench.call("DeleteFunction", json!({"FunctionName": "f"})).await,
        404,
        "ResourceNotFoundException",
        &text,
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let bench = Bench::new();
    for i in 0..5 {
        bench.call("CreateFunction", basic(&format!("f{i}"))).await.expect("is created");
    }
    let (mut names, mut input) = (Vec::new(), json!({"MaxItems": 2}));
    loop {
        let page = bench.call("ListFunctions", input).await.expect("lists");
        let functions = page["Functions"].as_array().expect("a list");
        names.extend(functions.iter().map(|f| f["FunctionName"].as_str().expect("a name").to_owned()));
        let Some(marker) = page.get("NextMarker") else { break };
        input = json!({"MaxItems": 2, "Marker": marker});
    }
    assert_eq!(names, ["f0", "f1", "f2", "f3", "f4"]);
    refused(
        bench.call("ListFunctions", json!({"MaxItems": 0})).await,
        400,
        "ValidationException",
        "'maxItems'",
    );
    refused(
        bench.call("ListFunctions", json!({"Marker": "%"})).await,
        400,
        "InvalidParameterValueException",
        "Marker",
    );
}

#[tokio::test]
async fn bad_input_is_refused_and_named() {
    let bench = Bench::new();
    let cases = [
        (json!({}), "ValidationException", "3 validation errors detected: Value null at 'functionName'"),
        (with(basic("a b"), "Timeout", json!(3)), "ValidationException", "'functionName'"),
        (with(basic("f"), "Timeout", json!(901)), "ValidationException", "'timeout'"),
        (with(basic("f"), "Runtime", json!("java21")), "InvalidParameterValueException", "java21"),
        (
            with(basic("f"), "Runtime", Value::Null),
            "InvalidParameterValueException",
            "Runtime and Handler are mandatory",
        ),
        (with(basic("f"), "Code", json!({})), "InvalidParameterValueException", "provide a source"),
        (with(basic("f"), "Code", json!("x")), "SerializationException", "Code"),
        (with(basic("f"), "Code", json!({"ZipFile": "?"})), "SerializationException", "base64"),
        (
            with(basic("f"), "Code", json!({"ZipFile": "bm8gemlw"})),
            "InvalidParameterValueException",
            "Could not unzip",
        ),
        (
            with(basic("f"), "Code", json!({"S3Bucket": "bucket", "S3Key": "k"})),
            "InvalidParameterValueException",
            "S3",
        ),
        (
            with(basic("f"), "Code", json!({"S3Bucket": "__local__", "S3Key": "relative"})),
            "InvalidParameterValueException",
            "absolute",
        ),
        (
            with(basic("f"), "Code", json!({"S3Bucket": "__local__", "S3Key": "/no/such/dir"})),
            "InvalidParameterValueException",
            "/no/such/dir",
        ),
        (json!([]), "SerializationException", "structure"),
    ];
    for (input, code, text) in cases {
        refused(bench.call("CreateFunction", input).await, 400, code, text);
    }
    assert_eq!(bench.call("ListFunctions", json!({})).await.expect("lists")["Functions"], json!([]));
    refused(
        bench.call("CreateFunctionUrlConfig", json!({})).await,
        400,
        "UnknownOperationException",
        "CreateFunctionUrlConfig of lambda",
    );
}

#[tokio::test]
async fn invocations_of_what_is_not_there_are_refused() {
    let bench = Bench::new();
    bench.call("CreateFunction", basic("f")).await.expect("is created");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function";
    let cases = [
        (json!({"FunctionName": "g"}), "ResourceNotFoundException", format!("Function not found: {arn}:g")),
        (
            json!({"FunctionName": "f", "Qualifier": "7"}),
            "ResourceNotFoundException",
            format!("Function not found: {arn}:f:7"),
        ),
        (
            json!({"FunctionName": "f", "InvocationType": "Later"}),
            "ValidationException",
            "invocationType".into(),
        ),
        (
            json!({"FunctionName": "f", "ClientContext": "{"}),
            "InvalidRequestContentException",
            "Client context".into(),
        ),
        (json!({}), "ValidationException", "functionName".into()),
    ];
    for (input, code, text) in cases {
        let fault = bench.reply(input, "{}").await.expect_err("is refused");
        assert!(fault.code == code && fault.message.contains(&text), "{fault}");
        assert_eq!(fault.request_id.map(|id| id.len()), Some(36));
    }
    let reply =
        bench.reply(json!({"FunctionName": "f", "InvocationType": "DryRun"}), "{}").await.expect("is fine");
    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn permissions_and_tags_are_recorded() {
    let bench = Bench::new();
    bench.call("CreateFunction", basic("f")).await.expect("is created");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let permission = json!({"FunctionName": "f", "StatementId": "s1", "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": "arn:aws:events:us-east-1:000000000000:rule/r"});
    let made = bench.call("AddPermission", permission.clone()).await.expect("is added");
    let statement: Value = serde_json::from_str(made["Statement"].as_str().expect("a text")).expect("JSON");
    let expected = json!({"Sid": "s1", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": arn,
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:000000000000:rule/r"}}});
    assert_eq!(statement, expected);
    refused(bench.call("AddPermission", permission).await, 409, "ResourceConflictException", "(s1)");
    let policy = bench.call("GetPolicy", json!({"FunctionName": "f"})).await.expect("is there");
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().expect("a text")).expect("JSON");
    assert_eq!(policy["Statement"], json!([expected]));
    bench
        .call("RemovePermission", json!({"FunctionName": "f", "StatementId": "s1"}))
        .await
        .expect("is removed");
    refused(
        bench.call("GetPolicy", json!({"FunctionName": "f"})).await,
        404,
        "ResourceNotFoundException",
        "does not exist",
    );

    bench
        .call("TagResource", json!({"Resource": arn, "Tags": {"a": "1", "b": "2"}}))
        .await
        .expect("is tagged");
    bench.call("UntagResource", json!({"Resource": arn, "TagKeys": ["a"]})).await.expect("is untagged");
    assert_eq!(
        bench.call("ListTags", json!({"Resource": arn})).await.expect("lists")["Tags"],
        json!({"b": "2"})
    );
}

#[tokio::test]
async fn changes_respect_revisions() {
    let bench = Bench::new();
    let made = bench.call("CreateFunction", basic("f")).await.expect("is created");
    let stale = json!({"FunctionName": "f", "Description": "x", "RevisionId": "other"});
    refused(
        bench.call("UpdateFunctionConfiguration", stale).await,
        412,
        "PreconditionFailedException",
        "Revision Id",
    );
    let fresh = json!({"FunctionName": "f", "Description": "x", "RevisionId": made["RevisionId"],
        "Environment": {"Variables": {"AA": "1"}}});
    let changed = bench.call("UpdateFunctionConfiguration", fresh).await.expect("is changed");
    assert_eq!(
        (&changed["Description"], &changed["Environment"]),
        (&json!("x"), &json!({"Variables": {"AA": "1"}}))
    );
    assert_ne!(changed["RevisionId"], made["RevisionId"]);
    let dry = json!({"FunctionName": "f", "DryRun": true, "ZipFile": zip_text(&[("index.py", "")])});
    let shown = bench.call("UpdateFunctionCode", dry).await.expect("is shown");
    assert_ne!(shown["CodeSha256"], made["CodeSha256"]);
    let now = bench.call("GetFunctionConfiguration", json!({"FunctionName": "f"})).await.expect("is shown");
    assert_eq!(now, changed);
}

#[tokio::test]
async fn the_archive_can_be_fetched() {
    let bench = Bench::with(|o| o.endpoint_url.set("http://127.0.0.1:8083".into()).expect("is unset"));
    let files = [("index.py", "x = 1\n")];
    let input = with(basic("f"), "Code", json!({"ZipFile": zip_text(&files)}));
    bench.call("CreateFunction", input).await.expect("is created");
    let got = bench.call("GetFunction", json!({"FunctionName": "f"})).await.expect("is shown");
    let location =
        got["Code"]["Location"].as_str().and_then(|l| l.strip_prefix("http://127.0.0.1:8083")).expect("ours");
    let route = stepwell_lambda::rest::route("GET", location).expect("a route");
    let call = stepwell_lambda::rest::call(&route, "", &http::HeaderMap::new(), bytes::Bytes::new())
        .expect("a call");
    let reply = stepwell_aws::Service::call(&*bench.lambda, call).await.expect("is fetched");
    assert_eq!(reply.body.expect("a body"), zip(&files));
}

#[tokio::test]
async fn versions_and_aliases_are_kept_apart() {
    let bench = Bench::new();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let made =
        bench.call("CreateFunction", with(basic("f"), "Publish", json!(true))).await.expect("is created");
    assert_eq!((&made["Version"], &made["FunctionArn"]), (&json!("1"), &json!(format!("{arn}:1"))));
    // Nothing has changed: the same version again.
    let same = bench
        .call("PublishVersion", json!({"FunctionName": "f", "Description": "x"}))
        .await
        .expect("is there");
    assert_eq!(same, made);
    bench
        .call("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Timeout": 9}))
        .await
        .expect("is changed");
    let second = bench
        .call("PublishVersion", json!({"FunctionName": "f", "Description": "x"}))
        .await
        .expect("is made");
    assert_eq!(
        (&second["Version"], &second["Timeout"], &second["Description"]),
        (&json!("2"), &json!(9), &json!("x"))
    );
    let shown =
        bench.call("GetFunctionConfiguration", json!({"FunctionName": "f:1"})).await.expect("is shown");
    assert_eq!(shown["Timeout"], 3);
    let listed = bench.call("ListVersionsByFunction", json!({"FunctionName": "f"})).await.expect("lists");
    let versions: Vec<&Value> =
        listed["Versions"].as_array().expect("a list").iter().map(|v| &v["Version"]).collect();
    assert_eq!(versions, ["$LATEST", "1", "2"]);
    let functions = bench.call("ListFunctions", json!({})).await.expect("lists");
    assert_eq!(functions["Functions"].as_array().map(Vec::len), Some(1));
    let functions = bench.call("ListFunctions", json!({"FunctionVersion": "ALL"})).await.expect("lists");
    assert_eq!(functions["Functions"].as_array().map(Vec::len), Some(3));

    let alias = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"});
    let made = bench.call("CreateAlias", alias.clone()).await.expect("is created");
    assert_eq!((&made["AliasArn"], &made["FunctionVersion"]), (&json!(format!("{arn}:live")), &json!("1")));
    refused(bench.call("CreateAlias", alias).await, 409, "ResourceConflictException", "Alias already exists");
    let missing = json!({"FunctionName": "f", "Name": "other", "FunctionVersion": "7"});
    refused(bench.call("CreateAlias", missing).await, 404, "ResourceNotFoundException", "function:f:7");
    let numeric = json!({"FunctionName": "f", "Name": "12", "FunctionVersion": "1"});
    refused(bench.call("CreateAlias", numeric).await, 400, "ValidationException", "'name'");
    let shown =
        bench.call("GetFunctionConfiguration", json!({"FunctionName": "f", "Qualifier": "live"})).await;
    assert_eq!(shown.expect("is shown")["Version"], "1");
    let used = json!({"FunctionName": "f", "Qualifier": "1"});
    refused(bench.call("DeleteFunction", used.clone()).await, 409, "ResourceConflictException", "alias live");
    let routing = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "2",
        "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.25}}});
    let changed = bench.call("UpdateAlias", routing).await.expect("is changed");
    assert_eq!(changed["RoutingConfig"], json!({"AdditionalVersionWeights": {"1": 0.25}}));
    bench
        .call("UpdateAlias", json!({"FunctionName": "f", "Name": "live", "RoutingConfig": {}}))
        .await
        .expect("is changed");
    bench.call("DeleteFunction", used).await.expect("is deleted");
    let aliases = bench.call("ListAliases", json!({"FunctionName": "f"})).await.expect("lists");
    assert_eq!(aliases["Aliases"].as_array().map(Vec::len), Some(1));
    bench.call("DeleteAlias", json!({"FunctionName": "f", "Name": "live"})).await.expect("is deleted");
    refused(
        bench.call("GetAlias", json!({"FunctionName": "f", "Name": "live"})).await,
        404,
        "ResourceNotFoundException",
        "Cannot find alias arn",
    );
    let locked = json!({"FunctionName": "f:2", "Timeout": 4});
    refused(
        bench.call("UpdateFunctionConfiguration", locked).await,
        400,
        "InvalidParameterValueException",
        "Published versions",
    );
    bench.call("DeleteFunction", json!({"FunctionName": "f"})).await.expect("is deleted");
    refused(
        bench.call("GetFunction", json!({"FunctionName": "f:2"})).await,
        404,
        "ResourceNotFoundException",
        "function:f:2",
    );
}

/// A bucket with one object, whose archive is too large for the request.
struct Bucket(Vec<u8>);

impl stepwell_lambda::CodeStore for Bucket {
    fn fetch<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
    ) -> stepwell_aws::BoxFuture<'a, Result<Option<bytes::Bytes>, String>> {
        let found = ((bucket, key) == ("assets", "code.zip")).then(|| self.0.clone().into());
        Box::pin(async move {
            if bucket == "closed" { Err("S3 Error Code: AccessDenied".into()) } else { Ok(found) }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_comes_from_a_bucket_also_when_it_is_large() {
    // Text that does not shrink much: one piece of the store holds 1 MiB.
    let mut state = 1u64;
    let noise: String = (0..6 << 20)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + u8::try_from(state >> 58).expect("six bits"))
        })
        .collect();
    let archive = zip(&[
        ("noise.txt", &noise),
        ("index.py", "def main(e, c):\n    return len(open('noise.txt').read())\n"),
    ]);
    assert!(archive.len() > 4 << 20);
    let bench = Bench::with(|o| o.code_store = Some(std::sync::Arc::new(Bucket(archive.clone()))));
    let code = |bucket: &str, key: &str| with(basic("f"), "Code", json!({"S3Bucket": bucket, "S3Key": key}));
    refused(
        bench.call("CreateFunction", code("assets", "other")).await,
        400,
        "InvalidParameterValueException",
        "NoSuchKey",
    );
    refused(
        bench.call("CreateFunction", code("closed", "x")).await,
        400,
        "InvalidParameterValueException",
        "AccessDenied",
    );
    let made = bench.call("CreateFunction", code("assets", "code.zip")).await.expect("is created");
    assert_eq!(made["CodeSize"], archive.len());
    assert_eq!(bench.value("f", "{}").await, noise.len());
}
