// A host of another make: npm mqtt and sparkplug-payload, and STATE as Sparkplug 3.0
// wants it. It tells what it reads of a node's values, a JSON line each, by the
// names of the births. Lines in: "rebirth" asks the node for its births, "leave"
// says that the host is offline, and ends. Arguments: the folder of the modules, the
// broker's URL, the host's id, group, node.
'use strict'
const { createRequire } = require('module')
const modules = createRequire(process.argv[2] + '/x.js')
const [url, id, group, node] = process.argv.slice(3)
const codec = modules('sparkplug-payload').get('spBv1.0')
const state = 'spBv1.0/STATE/' + id
const since = Date.now()
const body = (online, timestamp) => JSON.stringify({ online, timestamp })
const said = { qos: 1, retain: true }
const client = modules('mqtt').connect(url, { clean: true, reconnectPeriod: 0, will: { topic: state, payload: body(false, since), ...said } })
const tell = x => process.stdout.write(JSON.stringify(x) + '\n')
const births = new Map() // by alias

client.on('connect', () => client.subscribe(['spBv1.0/#', state], { qos: 1 }, () => client.publish(state, body(true, since), said)))
client.on('message', (topic, bytes) => {
  const [, from, kind, name, device] = topic.split('/')
  if (from !== group || name !== node || kind === 'NCMD') return
  let p = codec.decodePayload(bytes)
  tell({ kind, device: device || '', seq: p.seq === undefined ? null : Number(p.seq), metrics: (p.metrics || []).length })
  if (kind.endsWith('BIRTH')) {
    for (const m of p.metrics) if (m.alias !== undefined) births.set(String(m.alias), m)
    return
  }
  if (!kind.endsWith('DATA')) return
  // The library reads no value without its type: it is put in from the birth.
  const plain = modules('sparkplug-payload/lib/sparkplugPayloadProto.js').org.eclipse.tahu.protobuf.Payload
  const raw = plain.decode(bytes)
  for (const m of raw.metrics) {
    const birth = births.get(String(m.alias))
    if (!birth) return tell({ error: 'alias ' + m.alias + ' without a birth' })
    m.name = birth.name
    m.datatype = { Double: 10, String: 12, UInt64: 8 }[birth.type]
  }
  p = codec.decodePayload(plain.encode(raw).finish())
  for (const m of p.metrics) {
    tell({ name: m.name, value: m.value === null ? null : String(m.value), time: Number(m.timestamp), quality: m.properties && m.properties.Quality ? m.properties.Quality.value : null, historical: m.isHistorical === true })
  }
})
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  if (line === 'rebirth') {
    client.publish(`spBv1.0/${group}/NCMD/${node}`, Buffer.from(codec.encodePayload({ timestamp: Date.now(), metrics: [{ name: 'Node Control/Rebirth', type: 'Boolean', value: true }] })))
  } else {
    client.publish(state, body(false, Date.now()), said, () => client.end())
  }
})
