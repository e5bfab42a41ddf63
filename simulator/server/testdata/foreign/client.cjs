// A node-opcua client that tells what it sees of the server as one JSON object.
// Usage: node client.cjs URL PKIFOLDER USER PASSWORD VALUES
const {
  OPCUAClient, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, UserTokenType, AttributeIds,
  TimestampsToReturn, DataChangeFilter, DataChangeTrigger, DeadbandType, makeBrowsePath, BrowseDirection,
  ClientMonitoredItem,
} = require("node-opcua");

const [url, pki, userName, password, wanted] = process.argv.slice(2);

async function connect() {
  const clientCertificateManager = new OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
  await clientCertificateManager.initialize();
  const client = OPCUAClient.create({
    applicationName: "foreign", applicationUri: "urn:foreign:node", clientCertificateManager,
    securityMode: MessageSecurityMode.SignAndEncrypt, securityPolicy: SecurityPolicy.Basic256Sha256,
    endpointMustExist: false, connectionStrategy: { maxRetry: 0 }, defaultSecureTokenLifetime: 4000,
  });
  await client.connect(url);
  return client;
}

async function walk(session, node, path, out) {
  let r = await session.browse({ nodeId: node, referenceTypeId: "HierarchicalReferences", includeSubtypes: true,
    browseDirection: BrowseDirection.Forward, resultMask: 63, nodeClassMask: 0 });
  let refs = r.references;
  while (r.continuationPoint && r.continuationPoint.length) {
    r = await session.browseNext(r.continuationPoint, false);
    refs = refs.concat(r.references);
  }
  for (const ref of refs) {
    if (ref.nodeId.namespace === 0 && ref.browseName.name !== "EURange" && ref.browseName.name !== "EngineeringUnits") continue;
    const p = path + "/" + ref.browseName.name;
    out.push(p);
    if (ref.nodeId.namespace === 1) await walk(session, ref.nodeId, p, out);
  }
}

(async () => {
  const seen = {};
  let client = await connect();
  try {
    await client.createSession({ type: UserTokenType.UserName, userName, password: password + "x" });
    seen.wrongPassword = "accepted";
  } catch (e) {
    seen.wrongPassword = String(e.message);
  }
  await client.disconnect();
  client = await connect();
  client.on("connection_lost", () => { console.error("connection lost"); process.exit(1); });
  const session = await client.createSession({ type: UserTokenType.UserName, userName, password });

  seen.tree = [];
  await walk(session, "ObjectsFolder", "", seen.tree);
  seen.namespaces = await session.readNamespaceArray();
  const [value, type, description, units, range, status] = await session.read([
    { nodeId: "ns=1;s=MILL/VIB", attributeId: AttributeIds.Value },
    { nodeId: "ns=1;s=MILL/VIB", attributeId: AttributeIds.DataType },
    { nodeId: "ns=1;s=MILL/VIB", attributeId: AttributeIds.Description },
    { nodeId: "ns=1;s=MILL/VIB#EngineeringUnits" },
    { nodeId: "ns=1;s=MILL/VIB#EURange" },
    { nodeId: "i=2256" },
  ].map(r => ({ attributeId: AttributeIds.Value, ...r })));
  Object.assign(seen, {
    value: value.value.value, sourceTime: value.sourceTimestamp.getTime(), type: type.value.value.toString(),
    description: description.value.value.text, unit: units.value.value.displayName.text, high: range.value.value.high,
    state: status.value.value.state,
  });
  const path = await session.translateBrowsePath(makeBrowsePath("ObjectsFolder", "/1:MILL/1:VIB"));
  seen.translated = path.targets[0].targetId.toString();
  const write = await session.write({ nodeId: "ns=1;s=MILL/VIB", attributeId: AttributeIds.Value, value: { value: { dataType: "Double", value: 1 } } })
    .catch(e => String(e.message));
  seen.write = String(write);

  seen.history = []; // in answers: what was written to MILL/PAST
  for (let point = Buffer.alloc(0); point; ) {
    const page = await session.readHistoryValue({ nodeId: "ns=1;s=MILL/PAST", continuationPoint: point }, new Date(Number(status.value.value.startTime) - 3600000),
      new Date(Number(status.value.value.startTime) + 3600000), { numValuesPerNode: 3, returnBounds: false });
    seen.history.push(page.historyData.dataValues.map(v => v.value.value));
    point = page.continuationPoint?.length ? page.continuationPoint : undefined;
  }

  const sub = await session.createSubscription2({
    requestedPublishingInterval: 50, requestedLifetimeCount: 300, requestedMaxKeepAliveCount: 10, publishingEnabled: true, priority: 1,
  });
  const values = [];
  let overflow = 0;
  // create() gives the item before the server answers, so that the listener
  // misses nothing; monitor() does not.
  const item = ClientMonitoredItem.create(sub, { nodeId: "ns=1;s=MILL/RAMP", attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 5000, discardOldest: true }, TimestampsToReturn.Both);
  const enough = new Promise(resolve => item.on("changed", dv => {
    if (dv.statusCode.hasOverflowBit) overflow++;
    values.push(dv.value.value);
    if (dv.value.value >= Number(wanted) - 1) resolve();
  }));
  await new Promise(resolve => item.once("initialized", resolve));
  seen.monitored = item.statusCode.name;
  const refused = await sub.monitor({ nodeId: "ns=1;s=MILL/RAMP", attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 1, filter: new DataChangeFilter({ trigger: DataChangeTrigger.StatusValue, deadbandType: DeadbandType.Percent, deadbandValue: 10 }) },
    TimestampsToReturn.Both).then(i => i.statusCode.name, e => String(e.message));
  seen.percentOnPlain = String(refused);
  console.error("subscribed");
  await enough;
  let jumps = 0;
  for (let i = 1; i < values.length; i++) if (values[i] !== values[i - 1] + 1) jumps++;
  Object.assign(seen, { values: values.length, jumps, overflow });
  await sub.terminate();
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify(seen));
})().catch(e => { console.error(e); process.exit(1); });
