// Package alarm turns findings into alarms: a finding says what a detector saw
// at one moment, an alarm is a condition with a life that people answer for
// (ISA-18.2). The states and what moves them are a pure function in machine.go;
// the Book keeps them in one SQLite file with a journal of every change.
//
// What the crew finds behind an alarm is its label: an interval with a verdict. An
// alarm has one that is valid; those before it, and those withdrawn, are kept.
//
// A record of an edge is applied in one transaction with its number, so a
// record that is delivered again raises nothing twice.
package alarm
