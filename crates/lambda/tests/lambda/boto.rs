//! boto3 against a server of thirty lines: it must understand our answers.

use std::convert::Infallible;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stepwell_aws::Service;
use stepwell_lambda::{Lambda, rest};
use tokio::net::TcpListener;

use crate::support::Bench;

async fn answer(lambda: Arc<Lambda>, request: http::Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let route = rest::route(head.method.as_str(), head.uri.path()).expect("a route");
    let result = match rest::call(&route, head.uri.query().unwrap_or_default(), &head.headers, body) {
        Ok(call) => lambda.call(call).await,
        Err(fault) => Err(fault),
    };
    let (status, headers, body) = match result {
        Ok(reply) => rest::reply(route.binding.operation, &reply),
        Err(fault) => rest::fault(&fault),
    };
    let mut response = Response::new(Full::new(body));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

async fn serve(lambda: Arc<Lambda>, listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        stream.set_nodelay(true).expect("is set");
        let lambda = lambda.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let lambda = lambda.clone();
                async move { Ok::<_, Infallible>(answer(lambda, request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

const SCRIPT: &str = r#"
import base64, io, json, time, zipfile
import boto3, botocore.config, botocore.exceptions
client = boto3.client('lambda', config=botocore.config.Config(retries={'max_attempts': 0}))

def archive(source, name='index.py'):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as z:
        z.writestr(name, source)
    return buffer.getvalue()

def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response['Error']['Code'] == code, error.response
        return error
    raise AssertionError('not refused')

echo = 'import boto3, os\ndef main(event, context):\n    print("seen")\n    if "raise" in event: raise KeyError("id")\n    return [event, boto3.client("lambda").meta.endpoint_url]\n'
role = 'arn:aws:iam::000000000000:role/r'
made = client.create_function(FunctionName='f', Runtime='python3.11', Handler='index.main', Role=role, Timeout=20,
                              Code={'ZipFile': archive(echo)}, Environment={'Variables': {'AA': 'b'}})
assert made['ResponseMetadata']['HTTPStatusCode'] == 201 and made['State'] == 'Active', made
client.get_waiter('function_active_v2').wait(FunctionName='f')
client.get_waiter('function_updated_v2').wait(FunctionName='f')
answer = client.invoke(FunctionName=made['FunctionArn'], Payload=b'{"a": 1}', LogType='Tail')
assert answer['StatusCode'] == 200 and answer['ExecutedVersion'] == '$LATEST' and 'FunctionError' not in answer, answer
assert json.load(answer['Payload']) == [{'a': 1}, client.meta.endpoint_url]
assert 'seen' in base64.b64decode(answer['LogResult']).decode()
answer = client.invoke(FunctionName='f', Payload=b'{"raise": 1}')
assert answer['FunctionError'] == 'Unhandled', answer
assert json.load(answer['Payload'])['errorType'] == 'KeyError'
answer = client.invoke(FunctionName='f', InvocationType='Event', Payload=b'{}')
assert answer['StatusCode'] == 202 and answer['Payload'].read() == b''
answer = client.invoke(FunctionName='f', InvocationType='DryRun')
assert answer['StatusCode'] == 204

error = refused('ResourceNotFoundException', client.invoke, FunctionName='nothing')
assert 'Function not found: arn:aws:lambda:us-east-1:000000000000:function:nothing' in str(error)
assert isinstance(error, client.exceptions.ResourceNotFoundException)
refused('InvalidRequestContentException', client.invoke, FunctionName='f', Payload=b'{')
refused('ResourceConflictException', client.create_function, FunctionName='f', Runtime='python3.11',
        Handler='index.main', Role=role, Code={'ZipFile': archive(echo)})
client.update_function_code(FunctionName='f', ZipFile=archive('def main(e, c):\n    return 2\n'))
assert json.load(client.invoke(FunctionName='f')['Payload']) == 2
client.update_function_configuration(FunctionName='f', Description='changed', Timeout=5)
shown = client.get_function(FunctionName='f')
assert shown['Configuration']['Description'] == 'changed' and shown['Code']['Location'].startswith('http')
assert [f['FunctionName'] for p in client.get_paginator('list_functions').paginate() for f in p['Functions']] == ['f']
client.tag_resource(Resource=made['FunctionArn'], Tags={'x': 'y'})
assert client.list_tags(Resource=made['FunctionArn'])['Tags'] == {'x': 'y'}
client.untag_resource(Resource=made['FunctionArn'], TagKeys=['x'])
assert client.list_tags(Resource=made['FunctionArn'])['Tags'] == {}
client.add_permission(FunctionName='f', StatementId='s', Action='lambda:InvokeFunction', Principal='s3.amazonaws.com')
assert json.loads(client.get_policy(FunctionName='f')['Policy'])['Statement'][0]['Sid'] == 's'
client.remove_permission(FunctionName='f', StatementId='s')
assert client.list_versions_by_function(FunctionName='f')['Versions'][0]['Version'] == '$LATEST'
assert client.get_account_settings()['AccountUsage']['FunctionCount'] == 1
version = client.publish_version(FunctionName='f')
client.get_waiter('published_version_active').wait(FunctionName='f', Qualifier=version['Version'])
alias = client.create_alias(FunctionName='f', Name='a', FunctionVersion=version['Version'])
assert client.invoke(FunctionName=alias['AliasArn'])['ExecutedVersion'] == '1'
refused('UnknownOperationException', client.create_function_url_config, FunctionName='f', AuthType='NONE')

client.invoke(FunctionName='f')
times = []
for _ in range(200):
    start = time.perf_counter()
    client.invoke(FunctionName='f')
    times.append((time.perf_counter() - start) * 1000)
times.sort()
print('warm invoke through boto3: p50 %.2f ms, p99 %.2f ms' % (times[100], times[197]))
client.delete_function(FunctionName='f')
refused('ResourceNotFoundException', client.get_function, FunctionName='f')
print('ALL GOOD')
"#;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_understands_the_answers() {
    let probe = std::process::Command::new("python3").args(["-c", "import boto3"]).output();
    if !probe.is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: python3 has no boto3");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let bench = Bench::with(|o| o.endpoint_url.set(url.clone()).expect("is unset"));
    tokio::spawn(serve(bench.lambda.clone(), listener));
    let output = tokio::process::Command::new("python3")
        .args(["-c", SCRIPT])
        .env("AWS_ENDPOINT_URL", &url)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("ALL GOOD"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");
}
