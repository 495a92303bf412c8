// Stepwell's loop over the Lambda Runtime API for Node. It finds the handler as AWS's runtime does, serves one
// invocation after the other, and reports errors in AWS's shape. Started with the task root as its only argument.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import util from 'node:util';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const taskRoot = process.argv[2];
const api = process.env.AWS_LAMBDA_RUNTIME_API;
const [apiHost, apiPort] = [api.slice(0, api.lastIndexOf(':')), api.slice(api.lastIndexOf(':') + 1)];
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
process.argv.splice(1);

let requestId;

class RuntimeError extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
    this.trace = [];
  }
}

function request(method, where, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = { agent, host: apiHost, port: apiPort, method, path: `/2018-06-01/runtime/${where}`, headers };
    const sent = http.request(options, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks).toString() }));
      answer.on('error', reject);
    });
    sent.setNoDelay(true);
    sent.on('error', reject);
    sent.end(body);
  });
}

function describe(error) {
  if (error instanceof Error) {
    const trace = (error.stack || String(error)).split('\n');
    return { errorType: error.name, errorMessage: error.message, trace: error.trace || trace };
  }
  const kind = error === null ? 'null' : typeof error;
  return { errorType: kind, errorMessage: typeof error === 'object' ? JSON.stringify(error) : String(error), trace: [] };
}

function post(where, text, type) {
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
  if (type !== undefined) headers['Lambda-Runtime-Function-Error-Type'] = encodeURIComponent(type);
  return request('POST', where, text, headers);
}

// Lines of console.* carry time, request id and level, as on AWS; one event per call, whatever it contains.
const originalConsole = {};
for (const [name, level] of [['log', 'INFO'], ['info', 'INFO'], ['warn', 'WARN'], ['error', 'ERROR'], ['debug', 'DEBUG'], ['trace', 'TRACE']]) {
  originalConsole[name] = console[name];
  console[name] = (...parts) => {
    const text = util.format(...parts).replaceAll('\n', '\r');
    fs.writeSync(1, `${new Date().toISOString()}\t${requestId ?? 'undefined'}\t${level}\t${text}\n`);
  };
}

async function load(file) {
  for (const [extension, how] of [['', 'require'], ['.js', 'js'], ['.mjs', 'import'], ['.cjs', 'require']]) {
    const full = file + extension;
    if (!fs.existsSync(full) || fs.statSync(full).isDirectory()) continue;
    const asModule = how === 'import' || (how === 'js' && isModulePackage(path.dirname(full)));
    return asModule ? import(pathToFileURL(full).href) : createRequire(full)(full);
  }
  return createRequire(path.join(taskRoot, 'index.js'))(file);
}

function isModulePackage(directory) {
  for (let at = directory; ; at = path.dirname(at)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(at, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (error.code !== 'ENOENT' || at === path.dirname(at)) return false;
    }
  }
}

async function findHandler() {
  const named = process.env._HANDLER;
  const base = path.basename(named);
  const dot = base.indexOf('.');
  if (named.includes('..') || dot < 1 || dot === base.length - 1) {
    throw new RuntimeError('Runtime.MalformedHandlerName', `'${named}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const file = path.join(taskRoot, path.dirname(named), base.slice(0, dot));
  let module;
  try {
    module = await load(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw Object.assign(new RuntimeError('Runtime.UserCodeSyntaxError', String(error)), { trace: error.stack.split('\n') });
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      throw Object.assign(new RuntimeError('Runtime.ImportModuleError', `Error: ${error.message}`), { trace: error.stack.split('\n') });
    }
    throw error;
  }
  const names = base.slice(dot + 1).split('.');
  const within = (from) => names.reduce((value, name) => value?.[name], from);
  const handler = within(module) ?? within(module?.default);
  if (handler === undefined) throw new RuntimeError('Runtime.HandlerNotFound', `${named} is undefined or not exported`);
  if (typeof handler !== 'function') throw new RuntimeError('Runtime.HandlerNotFound', `${named} is not a function`);
  return handler;
}

function makeContext(headers, settle) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const clientContext = headers['lambda-runtime-client-context'];
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: clientContext === undefined ? undefined : JSON.parse(Buffer.from(clientContext, 'latin1').toString('utf8')),
    identity: undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
    succeed: (value) => settle(null, value, true),
    fail: (error) => settle(error ?? 'handled', undefined, true),
    done: (error, value) => settle(error, value, true),
  };
  return context;
}

// Called when the event loop is empty while an invocation waits: what a callback gave is sent now, and a handler that
// will never answer answers null, as on AWS.
let onIdle = () => {};
process.on('beforeExit', () => onIdle());

function runHandler(handler, event, headers) {
  return new Promise((resolve) => {
    let settled = false;
    const finish = (error, value) => {
      if (settled) return;
      settled = true;
      onIdle = () => {};
      resolve({ error, value });
    };
    const settle = (error, value, now) => {
      if (settled) return;
      const failed = error === null || error === undefined ? undefined : { thrown: error };
      if (now || failed || !context.callbackWaitsForEmptyEventLoop) finish(failed, value);
      else onIdle = () => finish(undefined, value);
    };
    const context = makeContext(headers, settle);
    onIdle = () => finish(undefined, null);
    try {
      const result = handler(event, context, (error, value) => settle(error, value, false));
      if (typeof result?.then === 'function') {
        result.then((value) => finish(undefined, value), (error) => finish({ thrown: error }));
      }
    } catch (error) {
      finish({ thrown: error });
    }
  });
}

async function fatal(type, error) {
  const described = { ...describe(error), errorType: type };
  if (type === 'Runtime.UnhandledPromiseRejection') described.errorMessage = String(error);
  fs.writeSync(1, `${new Date().toISOString()}\t${requestId ?? 'undefined'}\tERROR\tUncaught Exception \t${JSON.stringify(described)}\n`);
  const where = requestId === undefined ? 'init/error' : `invocation/${requestId}/error`;
  agent.destroy();
  await post(where, JSON.stringify(described), type).catch(() => {});
  process.exit(129);
}
process.on('uncaughtException', (error) => fatal(error instanceof Error ? error.name : 'Runtime.UnhandledException', error));
process.on('unhandledRejection', (reason) => fatal('Runtime.UnhandledPromiseRejection', reason));

async function serve(handler) {
  for (;;) {
    const { headers, body, status } = await request('GET', 'invocation/next');
    if (status !== 200) process.exit(1);
    requestId = headers['lambda-runtime-aws-request-id'];
    process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
    let outcome;
    let text;
    try {
      outcome = await runHandler(handler, JSON.parse(body), headers);
      if (!outcome.error) text = JSON.stringify(outcome.value === undefined ? null : outcome.value) ?? 'null';
    } catch (error) {
      outcome = { error: { thrown: error } };
    }
    if (outcome.error) {
      const described = describe(outcome.error.thrown);
      fs.writeSync(1, `${new Date().toISOString()}\t${requestId}\tERROR\tInvoke Error \t${JSON.stringify(described)}\n`);
      await post(`invocation/${requestId}/error`, JSON.stringify(described), described.errorType);
    } else {
      await post(`invocation/${requestId}/response`, text);
    }
  }
}

try {
  await serve(await findHandler());
} catch (error) {
  const described = describe(error);
  fs.writeSync(1, `${new Date().toISOString()}\tundefined\tERROR\tUncaught Exception \t${JSON.stringify(described)}\n`);
  await post('init/error', JSON.stringify(described), described.errorType).catch(() => {});
  process.exit(1);
}
