// Package hmi is the web server of Millwright: the JSON API, the live values,
// the alarm events, the accounts' login pages and the embedded web app.
//
// API.md says everything that goes over the wire; openapi.json says it for
// programs. What the server needs of the historian it declares itself (History,
// Alarms, Plant) and is given by main. The way of a live value:
//
//	ingest → Hub.Values (latest value per tag, version counted up)
//	       → each browser's own goroutine picks what is newer than its last
//	         frame, when it is free to send: a slow one skips values and never
//	         holds anybody up
package hmi
