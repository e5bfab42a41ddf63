// Package configs carries the configuration files that ship inside the binary.
// It has no logic.
package configs

import "embed"

// Demo is the simulated mill: demo/assets.toml and demo/tags.csv.
//
//go:embed demo/assets.toml demo/tags.csv
var Demo embed.FS

// Reference is the reference works: an integrated steel works of 1.1 Mt a year,
// for each unit a tag list reference/AREA/UNIT.csv and its assets
// reference/AREA/UNIT.toml.
//
//go:embed reference
var Reference embed.FS

// PLC holds a profile for each kind of OPC UA server that is known: what it
// bears, and how it is told to trust us.
//
//go:embed plc
var PLC embed.FS

// Classes is the library of asset classes: what machines of a kind have, by which
// limits they are watched and how they fail.
//
//go:embed classes
var Classes embed.FS
