// A foreign OPC UA server (node-opcua) for the tests of package collector. It
// writes every value into a log before it offers it. Settings are the JSON of
// the first argument; commands come in as lines on stdin.
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";
import { X509Certificate } from "node:crypto";

const set = JSON.parse(process.argv[2]);
const require = createRequire(path.join(set.modules, "x.js"));
const ua = require("node-opcua");

process.on("uncaughtException", (e) => { console.error("uncaught", e); process.exit(3); });

const serverCertificateManager = new ua.OPCUACertificateManager({
  rootFolder: path.join(set.dir, "pki"), automaticallyAcceptUnknownCertificate: false, name: "pki" });
const userCertificateManager = new ua.OPCUACertificateManager({
  rootFolder: path.join(set.dir, "upki"), automaticallyAcceptUnknownCertificate: false, name: "upki" });
await serverCertificateManager.initialize();
await userCertificateManager.initialize();
for (const f of set.trust ?? []) await serverCertificateManager.trustCertificate(fs.readFileSync(f));
for (const f of set.trustUsers ?? []) await userCertificateManager.trustCertificate(fs.readFileSync(f));

const server = new ua.OPCUAServer({
  port: set.port,
  hostname: "127.0.0.1",
  host: "127.0.0.1",
  alternateHostname: ["127.0.0.1"],
  serverInfo: { applicationUri: "urn:millwright:test:server" },
  buildInfo: { productName: "test" },
  allowAnonymous: set.anonymous ?? true,
  userManager: { isValidUser: (u, p) => (set.users ?? {})[u] === p },
  serverCertificateManager, userCertificateManager,
  securityPolicies: [ua.SecurityPolicy.None, ...(set.policies ?? ["Basic256Sha256"]).map((p) => ua.SecurityPolicy[p])],
  securityModes: [ua.MessageSecurityMode.None, ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.SignAndEncrypt],
  disableDiscovery: false,
  isAuditing: false,
  defaultSecureTokenLifetime: set.tokenLife ?? 3600000,
  maxConnectionsPerEndpoint: 100,
  serverCapabilities: {
    maxSessions: 100, minSupportedSampleRate: 0,
    maxMonitoredItemsPerSubscription: 100000, maxMonitoredItems: 200000,
    operationLimits: { maxMonitoredItemsPerCall: set.perCall ?? 1000, maxNodesPerBrowse: 100, maxNodesPerRead: set.perRead ?? 500,
      maxNodesPerHistoryReadData: set.perHistory ?? 0 },
  },
});
await server.initialize();
const space = server.engine.addressSpace;
for (let i = 0; i < (set.shift ?? 0); i++) space.registerNamespace("urn:test:shift" + i);
const ns = space.registerNamespace("urn:test:mill");
const mill = ns.addFolder(space.rootFolder.objects, { browseName: "Mill" });
ns.addVariable({ propertyOf: mill, browseName: { name: "NodeVersion", namespaceIndex: 0 }, dataType: "String", value: { dataType: "String", value: "0" } });
const vars = [];
const add = (i) => {
  const common = { browseName: "T" + i, nodeId: "s=T" + i, minimumSamplingInterval: 0, description: "test tag " + i };
  const text = set.text?.includes(i);
  vars[i] = text
    ? ns.addVariable({ ...common, componentOf: mill, dataType: "String" })
    : set.plain?.[i] // a data type, without unit and range
    ? ns.addVariable({ ...common, componentOf: mill, dataType: set.plain[i] })
    : ns.addAnalogDataItem({ ...common, componentOf: mill, dataType: "Double", engineeringUnitsRange: { low: 0, high: 100 + i },
        engineeringUnits: ua.standardUnits.degree_celsius, valuePrecision: 0.1 });
  vars[i].isText = text;
  if (set.history?.includes(i)) space.installHistoricalDataNode(vars[i], { maxOnlineValues: set.keep ?? 100000 });
};
for (let i = 0; i < set.nodes; i++) if (!(set.absent ?? []).includes(i)) add(i);
const named = (i, dataType, names, make) => { // a variable whose numbers have names
  vars[i] = make({ browseName: "T" + i, nodeId: "s=T" + i, componentOf: mill, minimumSamplingInterval: 0 });
  vars[i].names = names;
  vars[i].pick = (t) => {
    const [value, text] = names[t % names.length];
    return [{ dataType, value }, text];
  };
};
if (set.enums) {
  named(100, "UInt32", [[0, "stop"], [1, "run"], [2, "fault"]], (o) => ns.addMultiStateDiscrete({ ...o, enumStrings: ["stop", "run", "fault"], value: 0 }));
  named(101, "UInt32", [[10, "ladle"], [20, "mould"], [10, "ladle"]], (o) => ns.addMultiStateValueDiscrete({ ...o, dataType: "UInt32", value: 10,
    enumValues: [{ displayName: "ladle", value: 10 }, { displayName: "mould", value: 20 }] }));
  named(102, "Int32", [[0, "cold"], [1, "hot"], [7, "7"]], (o) => ns.addVariable({ ...o,
    dataType: ns.addEnumerationType({ browseName: "Heat", enumeration: ["cold", "hot"] }).nodeId }));
  named(103, "Int32", [[5, "auto"], [6, "manual"]], (o) => ns.addVariable({ ...o,
    dataType: ns.addEnumerationType({ browseName: "Hand", enumeration: [{ displayName: "auto", value: 5 }, { displayName: "manual", value: 6 }] }).nodeId }));
  named(104, "Boolean", [[false, "shut"], [true, "open"]], (o) => ns.addTwoStateDiscrete({ ...o, trueState: "open", falseState: "shut", value: false }));
  named(105, "Int32", [[3, "Suspended"], [0, "Running"]], (o) => ns.addVariable({ ...o, dataType: "ServerState" }));
}
ns.addVariable({ browseName: "Array", nodeId: "s=Array", componentOf: mill, dataType: "Double", valueRank: 1, arrayDimensions: [3],
  value: { dataType: "Double", arrayType: ua.VariantArrayType.Array, value: [1, 2, 3] } });
if (set.kinds) { // of which a tag list has none, or not as they are
  const point = ns.createDataType({ browseName: "Point", isAbstract: false, subtypeOf: "Structure" });
  const odd = (browseName, options) => ns.addVariable({ browseName, nodeId: "s=" + browseName, componentOf: mill, ...options });
  odd("Point", { dataType: point.nodeId });
  odd("When", { dataType: "UtcTime" });
  odd("Blob", { dataType: "ByteString" });
  odd("Secret", { dataType: "Double", userAccessLevel: 0, accessLevel: 0 });
  odd("Any", { dataType: "BaseDataType", value: { dataType: "Double", value: 1.5 } });
  odd("Anything", { dataType: "BaseDataType", value: { dataType: "Double", arrayType: ua.VariantArrayType.Array, value: [1, 2] }, valueRank: -2 });
  odd("Span", { dataType: "Duration" });
  odd("Raw", { dataType: "UInt16", browseName: { name: "/#+,$ Raw\u0007", namespaceIndex: ns.index } });
  const pumps = ns.addObjectType({ browseName: "PumpType" });
  const p = ns.addObject({ browseName: "X17", displayName: "Cooling water", componentOf: mill, typeDefinition: pumps });
  ns.addAnalogDataItem({ browseName: "P", nodeId: "s=X17.P", componentOf: p, dataType: "Int16", engineeringUnitsRange: { low: 0, high: 10 },
    engineeringUnits: ua.standardUnits.bar ?? ua.makeEUInformation("BAR", "bar", "bar") });
}
ns.addVariable({ browseName: "Count", nodeId: "s=Count", componentOf: mill, dataType: "UInt32", value: { dataType: "UInt32", value: 7 } });

if (set.hideLimits) // enforces limits that it does not declare
  for (const limit of ["i=11714", "i=11705", "i=11710"]) space.findNode(limit).bindVariable({ get: () => new ua.Variant({ dataType: "UInt32", value: 0 }) }, true);
const subscriptions = () => Object.values(server.engine._sessions).flatMap((s) => [...s.publishEngine.subscriptions]);

// What could change this server; a ConditionRefresh changes nothing.
const changing = /^(Write|Call|HistoryUpdate|AddNodes|AddReferences|DeleteNodes|DeleteReferences)Request$/;
const refreshes = (r) => r.methodsToCall?.length && r.methodsToCall.every((m) => m.objectId.toString() === "ns=0;i=2782" && m.methodId.toString() === "ns=0;i=3875");
server.on("request", (r) => {
  if (changing.test(r.schema.name) && !refreshes(r)) fs.appendFileSync(path.join(set.dir, "changing"), r.schema.name + "\n");
});

// How a client read the history.
const asked = { requests: 0, continued: 0, most: 0, released: 0, ends: [] };
const readHistory = server._on_HistoryReadRequest;
server._on_HistoryReadRequest = function (message, channel) {
  asked.requests++;
  if (message.request.nodesToRead?.some((n) => n.continuationPoint?.length)) asked.continued++;
  else if (!message.request.releaseContinuationPoints) asked.ends.push(message.request.historyReadDetails.endTime.getTime());
  asked.most = Math.max(asked.most, message.request.nodesToRead?.length ?? 0);
  if (message.request.releaseContinuationPoints) asked.released += message.request.nodesToRead.length;
  return readHistory.call(this, message, channel);
};

// What clients asked for, and how many of them there were at a time.
const load = { services: {}, channels: 0, sessions: 0, mostSessions: 0, mostSubscriptions: 0 };
server.on("request", (request) => {
  const name = request.schema.name.replace("Request", "");
  load.services[name] = (load.services[name] ?? 0) + 1;
  load.mostSubscriptions = Math.max(load.mostSubscriptions, server.engine.currentSubscriptionCount);
});
server.on("newChannel", () => load.channels++);
server.on("create_session", () => {
  load.sessions++;
  load.mostSessions = Math.max(load.mostSessions, server.engine.currentSessionCount);
});

// Nodes that make the server fail a whole call.
let poison = new Set(set.poison ?? []);
for (const [service, nodes] of [["Read", (r) => r.nodesToRead], ["CreateMonitoredItems", (r) => r.itemsToCreate?.map((i) => i.itemToMonitor)]]) {
  const on = server[`_on_${service}Request`];
  server[`_on_${service}Request`] = function (message, channel) {
    if (poison.size && nodes(message.request)?.some((n) => n.nodeId.identifierType === ua.NodeIdType.STRING && poison.has(Number(n.nodeId.value.slice(1)))))
      return channel.send_response("MSG", new ua.ServiceFault({ responseHeader: { serviceResult: ua.StatusCodes[set.poisonCode ?? "BadOutOfMemory"] } }), message, () => {});
    return on.call(this, message, channel);
  };
}
if (set.maxPublish) { // Publish requests that a session may have here
  const create = server.engine.createSession;
  server.engine.createSession = function (...args) {
    const session = create.apply(this, args);
    session.publishEngine.maxPublishRequestInQueue = set.maxPublish;
    return session;
  };
}

// Alarms: as many as set.alarms, each at a variable; set.active are there from the start.
const alarms = [], branches = [];
const say = (i, severity, message, active) => {
  if (active) alarms[i].activateAlarm();
  else alarms[i].deactivateAlarm(false);
  alarms[i].raiseNewCondition({ severity: Number(severity), message: decodeURIComponent(message ?? ""), quality: ua.StatusCodes.Good, retain: active });
};
if (set.alarms) {
  space.installAlarmsAndConditionsService();
  const tanks = ns.addObject({ browseName: "Tanks", nodeId: "s=Tanks", organizedBy: space.rootFolder.objects, eventNotifier: 1,
    notifierOf: space.rootFolder.objects.server });
  for (let i = 0; i < set.alarms; i++) {
    const source = vars[i] ?? ns.addVariable({ browseName: "A" + i, nodeId: "s=A" + i, componentOf: mill, dataType: "Double" });
    tanks.addReference({ referenceType: "HasEventSource", nodeId: source });
    alarms[i] = ns.instantiateAlarmCondition("AlarmConditionType", { browseName: "Alarm" + i, nodeId: "s=Alarm" + i, conditionName: "Alarm" + i,
      conditionSource: source, componentOf: tanks, inputNode: source });
  }
  for (const i of set.active ?? []) say(i, 700, "active from the start", true);
}

// One of a redundant set: how it stands to the others (OPC 10000-4, 6.6.2).
let level = set.level ?? 255;
if (set.support !== undefined) {
  space.findNode("i=2267").bindVariable({ get: () => new ua.Variant({ dataType: "Byte", value: level }) }, true);
  space.findNode("i=3709").bindVariable({ get: () => new ua.Variant({ dataType: "Int32", value: set.support }) }, true);
}

const log = set.log ? fs.openSync(set.log, "a") : -1;
if (log >= 0) fs.writeSync(log, "\n"); // a killed server may have left a torn line
let tick = set.tick ?? 0, running = false;
let step = set.step ?? 0; // ms that the clock of the values is off, and the one that reads show; the stack itself does not survive a step
let stood; // what a clock that stands still shows
const clock = space.findNode("i=2258"), tells = clock.readAttribute;
clock.readAttribute = function (context, attribute, ...more) {
  const told = tells.call(clock, context, attribute, ...more);
  if (attribute !== ua.AttributeIds.Value) return told;
  const shown = told.clone();
  shown.value.value = stood ?? new Date(told.value.value.getTime() + step);
  return shown;
};
const write = (at) => {
  tick++;
  const now = new Date(at);
  const ms = now.getTime();
  let lines = "";
  const todo = [];
  for (let i = 0; i < vars.length; i++) {
    const v = vars[i];
    if (!v || v.last === ms) continue;
    if ((set.still ?? []).includes(i) && tick > 3) continue;
    v.last = ms;
    const status = !set.good && tick % 50 === 0 && i % 7 === 0 ? ua.StatusCodes.UncertainLastUsableValue : ua.StatusCodes.Good;
    const value = v.isText ? "tick " + tick : tick + i / 1000;
    const [variant, logged] = v.pick?.(tick) ?? [{ dataType: v.isText ? "String" : "Double", value }, value];
    lines += JSON.stringify([i, ms, logged, status.value]) + "\n";
    todo.push([v, variant, status]);
  }
  if (log >= 0) fs.writeSync(log, lines);
  for (const [v, variant, status] of todo)
    v.setValueFromSource(variant, status, now);
  if (set.creep) // deadbands compare with the sample before
    for (const s of subscriptions())
      for (const m of s.monitoredItems.values()) if (m.filter && m.node.readValue) m.oldDataValue = m.node.readValue().clone();
};
const due = () => {
  if (!running) return;
  if (!set.grid) return write(Date.now() + step);
  // The same values at the same times as the others of a redundant set.
  const now = Math.floor(Date.now() / set.grid);
  if (fresh) tick = now - 1;
  for (fresh = false; tick < now; ) write((tick + 1) * set.grid);
};
let fresh = true; // nothing is made up for the time before
running = set.run ?? false;
due();
await server.start();
setInterval(due, set.grid ? set.grid / 4 : (set.every ?? 100));
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const [cmd, a, b, c] = line.trim().split(" ");
  if (cmd === "run") running = fresh = true;
  if (cmd === "halt") {
    if (set.grid) due();
    running = false;
  }
  if (cmd === "level") level = Number(a);
  if (cmd === "add") {
    add(Number(a));
    due(); // who sees it sees a value that the log knows
  }
  if (cmd === "del") { space.deleteNode(vars[a]); delete vars[a]; } // the monitored items of the node die with it
  if (cmd === "step") step += Number(a);
  if (cmd === "block") for (const end = Date.now() + Number(a); Date.now() < end; ); // a stack that answers nothing
  if (cmd === "starve") { // subscriptions publish nothing while reads are answered; for ever where no time is given
    for (const s of subscriptions()) {
      s._stop_timer();
      if (a) setTimeout(() => s.timerId || s.state === 1 || s._start_timer({ firstTime: false }), Number(a));
    }
  }
  if (cmd === "freeze") stood = new Date(Date.now() + step); // the clock that reads show stands still
  if (cmd === "thaw") stood = undefined;
  if (cmd === "numb") // subscriptions send keep-alives, but sample nothing any more
    for (const s of subscriptions()) for (const m of s.monitoredItems.values()) m._stop_sampling();
  if (cmd === "trust") await serverCertificateManager.trustCertificate(fs.readFileSync(a));
  if (cmd === "expel") // sessions end with what is in them
    for (const s of Object.values(server.engine._sessions)) server.engine.closeSession(s.authenticationToken, true, "Terminated");
  if (cmd === "forget") for (const s of subscriptions()) s._sent_notification_messages = []; // loses its retransmission queue
  if (cmd === "drop") for (const s of subscriptions()) s.terminate(); // ends subscriptions, as an impatient server does
  if (cmd === "model") // a program was loaded: a node is there that was not
    space.modelChangeTransaction(() => ns.addVariable({ browseName: a, nodeId: "s=" + a, componentOf: mill, dataType: "Double" }));
  if (cmd === "mean") { // number, what, JSON: something else, and says so
    const v = vars[a], to = JSON.parse(c);
    if (b === "description") v.setDescription(to);
    if (b === "range") v.euRange.setValueFromSource({ dataType: "ExtensionObject", value: new ua.Range(to) });
    if (b === "unit") v.engineeringUnits.setValueFromSource({ dataType: "ExtensionObject", value: ua.makeEUInformation(to, to, to) });
    if (b === "states") {
      v.enumStrings.setValueFromSource({ dataType: "LocalizedText", arrayType: ua.VariantArrayType.Array, value: to.map((t) => ua.coerceLocalizedText(t)) });
      to.forEach((t, i) => v.names[i][1] = t);
    }
  }
  if (cmd === "semantic" || cmd === "mean") // a unit was changed
    space.rootFolder.objects.server.raiseEvent("SemanticChangeEventType", { changes: { dataType: "ExtensionObject", arrayType: ua.VariantArrayType.Array,
      value: [new ua.SemanticChangeStructureDataType({ affected: vars[a].nodeId, affectedType: vars[a].typeDefinition })] } });
  if (cmd === "cure") poison.delete(Number(a));
  if (cmd === "load") fs.writeFileSync(path.join(set.dir, "load"), JSON.stringify({ ...load, now: server.engine.currentSessionCount }));
  if (cmd === "raise") say(a, b, c, true); // number, severity, message
  if (cmd === "ease") say(a, b, c, false);
  if (cmd === "storm") for (let i = 0; i < Number(a); i++) say(i, b, "storm%20" + i, true);
  if (cmd === "calm") for (let i = 0; i < Number(a); i++) say(i, 100, "calm", false);
  if (cmd === "branch") { // number, severity, message: a state that is still to be acknowledged
    const x = alarms[a].createBranch();
    x.setActiveState(true); x.setRetain(true); x.setSeverity(Number(b)); x.setMessage(decodeURIComponent(c)); x.setTime(new Date());
    branches.push([a, x]);
    alarms[a].raiseNewBranchState(x);
  }
  if (cmd === "unbranch") { // the nth of them
    const [i, x] = branches[a];
    x.setRetain(false); x.setTime(new Date());
    alarms[i].raiseNewBranchState(x);
  }
  if (cmd === "mute") alarms[a].currentBranch().setRetain(false); // over, without an event
  if (cmd === "require") space.rootFolder.objects.server.raiseEvent("RefreshRequiredEventType", {});
  if (cmd === "asked") fs.writeFileSync(path.join(set.dir, "asked"), JSON.stringify(asked));
  console.log("ok " + line.trim());
}).on("close", () => process.exit(0));
const der = fs.readFileSync(server.certificateFile, "utf8");
fs.writeFileSync(path.join(set.dir, "server.der"), new X509Certificate(der).raw);
console.log("ready " + set.port);
