// A foreign OPC UA server (node-opcua) whose PLC program changes, for the tests of
// package collector: a program is a list of variables with their place, node id,
// type, unit, range and the band of their values, so that a value of another
// variable is seen. It writes every value into a log before it offers it. Settings
// are the JSON of the first argument; commands come in as lines on stdin.
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";

const set = JSON.parse(process.argv[2]);
const ua = createRequire(path.join(set.modules, "x.js"))("node-opcua");
process.on("uncaughtException", (e) => { console.error("uncaught", e); process.exit(3); });

const pki = new ua.OPCUACertificateManager({ rootFolder: path.join(set.dir, "pki"), automaticallyAcceptUnknownCertificate: true, name: "pki" });
await pki.initialize();
const server = new ua.OPCUAServer({
  port: set.port, hostname: "127.0.0.1", host: "127.0.0.1", alternateHostname: ["127.0.0.1"],
  serverInfo: { applicationUri: "urn:millwright:test:server" }, serverCertificateManager: pki, userCertificateManager: pki,
  securityPolicies: [ua.SecurityPolicy.None], securityModes: [ua.MessageSecurityMode.None],
  serverCapabilities: { maxSessions: 100, minSupportedSampleRate: 0, maxMonitoredItemsPerSubscription: 100000, maxMonitoredItems: 200000,
    operationLimits: { maxMonitoredItemsPerCall: 1000, maxNodesPerBrowse: 100, maxNodesPerRead: 500, maxNodesPerTranslateBrowsePathsToNodeIds: 50 } },
});
await server.initialize();
const space = server.engine.addressSpace;
for (const uri of set.spaces) space.registerNamespace(uri);
const ns = space.getNamespace("urn:test:mill");

let program = [], folders = new Map();
const folderOf = (names) => names.reduce((parent, name, i) => {
  const key = names.slice(0, i + 1).join("/");
  if (!folders.has(key)) folders.set(key, ns.addFolder(parent, { browseName: name, nodeId: "s=" + key }));
  return folders.get(key);
}, space.rootFolder.objects);
const units = { C: ua.standardUnits.degree_celsius, bar: ua.standardUnits.bar };
const load = (list) => {
  for (const v of program) space.deleteNode(v.node);
  for (const f of [...folders.values()].reverse()) space.deleteNode(f);
  folders = new Map();
  program = list.map((v) => ({ ...v, node: (v.unit ? ns.addAnalogDataItem : ns.addVariable).call(ns, {
    browseName: v.name, nodeId: v.id, componentOf: folderOf(v.at), dataType: v.type ?? "Double", minimumSamplingInterval: 0,
    description: v.text ?? "a variable",
    ...(v.unit ? { engineeringUnits: units[v.unit], engineeringUnitsRange: { low: v.low ?? 0, high: v.high ?? 100 } } : {}) }) }));
  write();
};
const log = fs.openSync(set.log, "a");
fs.writeSync(log, "\n"); // a killed server may have left a torn line
let tick = set.tick ?? 0;
const write = () => {
  tick++;
  const now = new Date(), ms = now.getTime();
  const todo = program.filter((v) => v.last !== ms && !(v.still && v.last));
  for (const v of todo) v.last = ms;
  const value = (v) => v.base + (tick % 100);
  fs.writeSync(log, todo.map((v) => JSON.stringify([v.tag - 1, ms, value(v), 0]) + "\n").join(""));
  for (const v of todo) v.node.setValueFromSource({ dataType: v.type ?? "Double", value: value(v) }, ua.StatusCodes.Good, now);
};
load(set.program);
if (set.noTranslate) server._on_TranslateBrowsePathsToNodeIdsRequest = function (message, channel) {
  channel.send_response("MSG", new ua.ServiceFault({ responseHeader: { serviceResult: ua.StatusCodes.BadServiceUnsupported } }), message);
};
await server.start();
setInterval(write, set.every ?? 50);
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [, cmd, arg] = /^(\w+) ?(.*)$/.exec(line);
  if (cmd === "load") load(JSON.parse(arg));
  if (cmd === "range") { // {"tag":1,"low":0,"high":50}
    const a = JSON.parse(arg);
    program.find((v) => v.tag === a.tag).node.getPropertyByName("EURange")
      .setValueFromSource({ dataType: "ExtensionObject", value: new ua.Range({ low: a.low, high: a.high }) });
  }
  if (cmd === "space") space.registerNamespace(arg);
  console.log("ok " + line);
}).on("close", () => process.exit(0));
console.log("ready " + set.port);
