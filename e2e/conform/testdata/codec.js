// Reads and writes Sparkplug payloads with the npm library sparkplug-payload, one
// request a line: {"decode": hex} or {"encode": payload}. Payloads are told in the
// terms of codec_test.go. Argument: the folder of the modules.
'use strict'
const { createRequire } = require('module')
const modules = createRequire(process.argv[2] + '/x.js')
const codec = modules('sparkplug-payload').get('spBv1.0')
const Long = modules('long')

const names = [null, 'Int8', 'Int16', 'Int32', 'Int64', 'UInt8', 'UInt16', 'UInt32', 'UInt64', 'Float', 'Double', 'Boolean',
  'String', 'DateTime', 'Text', 'UUID', 'DataSet', 'Bytes', 'File', 'Template']

function bits (v) {
  const b = Buffer.alloc(8)
  b.writeDoubleBE(v)
  return b.toString('hex')
}

function number (hex) { return Buffer.from(hex, 'hex').readDoubleBE() }

// tell turns a value of the library into a text.
function tell (type, v) {
  if (v === null || v === undefined) return null
  switch (type) {
    case 9: case 10: return bits(v)
    case 11: return String(v)
    case 12: case 14: case 15: return v
    case 17: case 18: return Buffer.from(v).toString('hex')
  }
  return v.toString()
}

// make turns a text into a value for the library.
function make (type, text) {
  if (text === null) return null
  switch (type) {
    case 9: case 10: return number(text)
    case 11: return text === 'true'
    case 12: case 14: case 15: return text
    case 16: return { numOfColumns: 2, columns: ['a', 'b'], types: ['Double', 'String'], rows: [[1.5, text]] }
    case 17: case 18: return Buffer.from(text, 'hex')
    case 19: return { isDefinition: false, templateRef: text, metrics: [{ name: 'm', type: 'Double', value: 1 }], parameters: [{ name: 'p', type: 'String', value: text }] }
    case 4: return Long.fromString(text)
    case 7: case 8: case 13: return Long.fromString(text, true)
  }
  return Number(text)
}

function told (p) {
  return {
    time: p.timestamp === undefined ? null : p.timestamp.toString(),
    seq: p.seq === undefined ? null : p.seq.toString(),
    metrics: (p.metrics || []).map(m => {
      const type = m.type ? names.indexOf(m.type) : 0
      return {
        name: m.name || '',
        alias: m.alias === undefined ? null : m.alias.toString(),
        time: m.timestamp === undefined ? null : m.timestamp.toString(),
        type,
        historical: m.isHistorical === true,
        transient: m.isTransient === true,
        value: tell(type, m.value),
        properties: Object.entries(m.properties || {}).map(([key, v]) => {
          const type = names.indexOf(v.type)
          return { key, type, value: tell(type, v.value) }
        })
      }
    })
  }
}

function made (p) {
  return {
    timestamp: Long.fromString(p.time, true),
    seq: p.seq === null ? undefined : Number(p.seq),
    metrics: p.metrics.map(m => ({
      name: m.name || undefined,
      alias: m.alias === null ? undefined : Long.fromString(m.alias, true),
      timestamp: Long.fromString(m.time, true),
      type: names[m.type],
      isHistorical: m.historical || undefined,
      isTransient: m.transient || undefined,
      value: make(m.type, m.value),
      properties: m.properties.length ? Object.fromEntries(m.properties.map(x => [x.key, { type: names[x.type], value: make(x.type, x.value) }])) : undefined
    }))
  }
}

require('readline').createInterface({ input: process.stdin }).on('line', line => {
  const request = JSON.parse(line)
  let answer
  try {
    answer = request.decode === undefined
      ? { hex: Buffer.from(codec.encodePayload(made(request.encode))).toString('hex') }
      : { payload: told(codec.decodePayload(Buffer.from(request.decode, 'hex'))) }
  } catch (err) {
    answer = { error: err.stack }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
})
