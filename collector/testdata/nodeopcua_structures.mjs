// A foreign OPC UA server (node-opcua) whose values are structures, for the tests
// of package collector. It writes the fields into a log before it offers them:
// [number of the tag, ms, value, status]. Settings are the JSON of the first
// argument; commands come in as lines on stdin. Layout 2 of the type has the same
// node ids, encoding ids and length as layout 1, but its fields stand in another order.
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";

const set = JSON.parse(process.argv[2]);
const require = createRequire(path.join(set.modules, "x.js"));
const ua = require("node-opcua");

process.on("uncaughtException", (e) => { console.error("uncaught", e); process.exit(3); });

const type = (id, name, fields, { base = "i=22", kind = "" } = {}) => `
<UADataType NodeId="ns=1;i=${id}" BrowseName="1:${name}">
  <References><Reference ReferenceType="HasSubtype" IsForward="false">${base}</Reference>
    <Reference ReferenceType="HasEncoding">ns=1;i=${id + 2000}</Reference></References>
  <Definition Name="1:${name}" ${kind}>${fields}</Definition>
</UADataType>
<UAObject NodeId="ns=1;i=${id + 2000}" BrowseName="Default Binary" SymbolicName="DefaultBinary">
  <References><Reference ReferenceType="HasEncoding" IsForward="false">ns=1;i=${id}</Reference>
    <Reference ReferenceType="HasTypeDefinition">i=76</Reference></References>
</UAObject>`;
const field = (name, type, more = "") => `<Field Name="${name}" DataType="${type}" ${more}/>`;
const list = `ValueRank="1" ArrayDimensions="0"`;
const speeds = [field("Speed", "i=11"), field("Torque", "i=11")];
if (set.layout === 2) speeds.reverse();
const nodeset = `<?xml version="1.0" encoding="utf-8"?>
<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd">
<NamespaceUris><Uri>urn:test:mill</Uri></NamespaceUris>
<Models><Model ModelUri="urn:test:mill" Version="1.0.0" PublicationDate="2026-01-01T00:00:00Z">
  <RequiredModel ModelUri="http://opcfoundation.org/UA/"/></Model></Models>
<Aliases><Alias Alias="HasSubtype">i=45</Alias><Alias Alias="HasEncoding">i=38</Alias><Alias Alias="HasTypeDefinition">i=40</Alias></Aliases>
<UADataType NodeId="ns=1;i=3000" BrowseName="1:Mode">
  <References><Reference ReferenceType="HasSubtype" IsForward="false">i=29</Reference></References>
  <Definition Name="1:Mode"><Field Name="Idle" Value="0"/><Field Name="Rolling" Value="4"/></Definition>
</UADataType>
${type(3001, "Bearing", field("Label", "i=12") + field("Temperature", "i=10"))}
${type(3002, "Options", field("A", "i=6", `IsOptional="true"`) + field("Always", "i=7") + field("B", "i=11", `IsOptional="true"`))}
${type(3003, "Either", field("Number", "i=11") + field("Text", "i=12"), { base: "i=12756", kind: `IsUnion="true"` })}
${type(3004, "Motor", field("Mode", "ns=1;i=3000") + field("Note", "i=21") + field("Since", "i=294") + field("Node", "i=17")
    + field("Bearing", "ns=1;i=3001") + field("Stands", "ns=1;i=3001", list) + field("Phase", "i=4", list) + field("Options", "ns=1;i=3002")
    + field("Either", "ns=1;i=3003") + field("Any", "i=24") + field("On", "i=1") + field("Guid", "i=14") + field("Bytes", "i=15")
    + speeds.join(""))}
</UANodeSet>`;
const file = path.join(set.dir, "types.xml");
fs.writeFileSync(file, nodeset);

const server = new ua.OPCUAServer({
  port: set.port, hostname: "127.0.0.1", host: "127.0.0.1", alternateHostname: ["127.0.0.1"],
  serverInfo: { applicationUri: "urn:millwright:test:server" },
  securityPolicies: [ua.SecurityPolicy.None], securityModes: [ua.MessageSecurityMode.None],
  nodeset_filename: [ua.nodesets.standard, file],
  serverCapabilities: { minSupportedSampleRate: 0, operationLimits: { maxNodesPerBrowse: 3, maxNodesPerRead: 7 } },
});
await server.initialize();
const space = server.engine.addressSpace;
const ns = space.getNamespace("urn:test:mill");
const mill = ns.addFolder(space.rootFolder.objects, { browseName: "Mill" });
const find = (name) => space.findDataType(name, ns.index);
const make = (name, fields) => space.constructExtensionObject(find(name), fields);

const log = fs.openSync(set.log, "a");
fs.writeSync(log, "\n"); // a killed server may have left a torn line
let tick = set.tick ?? 0, running = true;
const motor = (n) => ({
  mode: n % 2 ? 4 : 0, note: { locale: "en", text: "note " + n }, since: new Date(), node: ua.coerceNodeId("ns=1;s=x"),
  bearing: { label: "drive end", temperature: 40 + n / 8 },
  stands: [{ label: "one", temperature: n + 0.25 }, { label: "two and more", temperature: n + 0.5 }],
  phase: [n % 100, -(n % 100), 7], options: n % 3 ? { always: n % 1000, b: n / 2 } : { a: n, always: n % 1000 },
  either: n % 2 ? { number: n * 3 } : { text: "even " + n },
  any: { dataType: "Double", value: n / 16 }, on: n % 2 === 1, guid: "72962B91-FA75-4AE6-8D28-B404DC7DAF63", bytes: Buffer.from([1, 2, 3]),
  speed: n * 10, torque: -n,
});
const initial = make("Motor", motor(tick));
const value = ns.addVariable({ browseName: "Motor", nodeId: "s=Motor", componentOf: mill, dataType: find("Motor"), minimumSamplingInterval: 0,
  value: { dataType: "ExtensionObject", value: initial } });
// A variable that may hold any structure, and one that is a list of them.
const vague = ns.addVariable({ browseName: "Vague", nodeId: "s=Vague", componentOf: mill, dataType: "Structure", minimumSamplingInterval: 0,
  value: { dataType: "ExtensionObject", value: make("Bearing", { label: "x", temperature: 1 }) } });
const row = ns.addVariable({ browseName: "Row", nodeId: "s=Row", componentOf: mill, dataType: find("Bearing"), valueRank: 1, minimumSamplingInterval: 0,
  value: { dataType: "ExtensionObject", arrayType: ua.VariantArrayType.Array, value: [make("Bearing", { label: "x", temperature: 1 })] } });
// A structure of OPC UA itself, and a variable of a type that the server does not describe.
ns.addVariable({ browseName: "Range", nodeId: "s=Range", componentOf: mill, dataType: "Range", minimumSamplingInterval: 0,
  value: { dataType: "ExtensionObject", value: new ua.Range({ low: -2.5, high: 7.5 }) } });

// Bursts: arrays of single and double precision and of integers, at another pace.
const array = (name, dataType, n, Type) => ({ dataType, n, Type,
  node: ns.addVariable({ browseName: name, nodeId: "s=" + name, componentOf: mill, dataType, valueRank: 1, arrayDimensions: [n], minimumSamplingInterval: 0,
    value: { dataType, arrayType: ua.VariantArrayType.Array, value: new Type(n) } }) });
const bursts = [array("Single", "Float", 4096, Float32Array), array("Real", "Double", 100, Float64Array), array("Whole", "Int16", 1000, Int16Array)];
if (set.long) bursts.push(array("Longest", "Float", 65536, Float32Array), array("TooLong", "Float", 65537, Float32Array));
let burst = 0;
const offerBursts = () => {
  if (!running) return;
  burst++;
  bursts.forEach((b, i) => {
    const value = new b.Type(b.n).map((_, k) => b.dataType === "Int16" ? (k * 7 + burst) % 30000 - 15000 : Math.sin(k * burst / 50) * burst);
    const now = new Date();
    fs.appendFileSync(path.join(set.dir, "bursts.log"), JSON.stringify([i, now.getTime(), Array.from(value)]) + "\n");
    b.node.setValueFromSource({ dataType: b.dataType, arrayType: ua.VariantArrayType.Array, value }, ua.StatusCodes.Good, now);
  });
};
setInterval(offerBursts, set.burstEvery ?? 200);

const write = () => {
  if (!running) return;
  tick++;
  const m = motor(tick), now = new Date(), ms = now.getTime();
  const logged = [m.speed, m.torque, m.bearing.temperature, m.stands[1].temperature, m.phase[1], m.options.always, m.any.value, m.on ? 1 : 0,
    m.mode, m.note.text, m.stands[1].label];
  fs.writeSync(log, logged.map((v, i) => JSON.stringify([i, ms, v, 0]) + "\n").join(""));
  const put = (v, value) => v.setValueFromSource(value, ua.StatusCodes.Good, now);
  put(value, { dataType: "ExtensionObject", value: make("Motor", m) });
  put(vague, { dataType: "ExtensionObject", value: make("Bearing", { label: "vague", temperature: tick }) });
  put(row, { dataType: "ExtensionObject", arrayType: ua.VariantArrayType.Array,
    value: [1, 2].map((k) => make("Bearing", { label: "row", temperature: k * tick })) });
};
await server.start();
setInterval(write, set.every ?? 50);
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [cmd] = line.trim().split(" ");
  if (cmd === "run") running = true;
  if (cmd === "halt") running = false;
  if (cmd === "items") fs.writeFileSync(path.join(set.dir, "items"), String(Object.values(server.engine._sessions)
    .flatMap((s) => [...s.publishEngine.subscriptions]).flatMap((s) => [...(s.monitoredItems.values?.() ?? Object.values(s.monitoredItems))])
    .filter((i) => i.itemToMonitor.attributeId === ua.AttributeIds.Value && i.itemToMonitor.nodeId.namespace > 0).length));
  console.log("ok " + line.trim());
}).on("close", () => set.stay || process.exit(0));
console.log("ready " + set.port);
