package config

import (
	"strings"
	"time"
)

// Stores of a historian.
const (
	StorePebble = "pebble" // embedded, in the historian's data folder
	StoreInflux = "influx" // an InfluxDB that the plant runs
)

// Influx is the plant's InfluxDB, section [historian.influx].
type Influx struct {
	URL      string // "http://HOST:8086", "https://HOST:8086"
	Database string // 1.8: "database/policy"; 2.x: the bucket
	Org      string // 2.x; empty with 1.8
	Token    string // 2.x: the token; 1.8: "user:password"; empty: none
	CA       string // PEM file; empty: the system's
	Timeout  time.Duration
}

// store reads which store a historian has, and the section of the one outside.
func (historian *table) store(h *Historian) {
	h.Store = historian.oneOf("store", StorePebble, StorePebble, StoreInflux)
	t := historian.table("influx")
	switch {
	case t == nil && h.Store == StoreInflux && !historian.has("influx"):
		historian.fault("store", "is \"influx\" and there is no [historian.influx] that says where")
	case t != nil && h.Store != StoreInflux:
		historian.fault("influx", "is of no use without store = \"influx\"")
	}
	if t == nil {
		return
	}
	defer t.close()
	x := &Influx{
		URL:      t.need("url", "http://127.0.0.1:8086"),
		Database: t.text("database", "plant_raw/autogen"),
		Org:      t.text("org", ""),
		CA:       t.readable("ca"),
		Timeout:  t.duration("timeout", 30*time.Second, time.Second, 10*time.Minute),
	}
	if err := checkURL(x.URL, "http", "https"); err != nil && x.URL != "" {
		t.fault("url", "%v", err)
	}
	if x.Database == "" {
		t.fault("database", "is empty, allowed is \"database/policy\" of InfluxDB 1.8 or the name of a bucket")
	}
	user, password := t.text("user", ""), t.secret("password_file")
	t.credentials("user", "password_file")
	x.Token = t.secret("token_file")
	switch {
	case x.Token != "" && user != "":
		t.fault("user", "stands beside token_file, allowed is one of them")
	case strings.ContainsAny(user, ": ") || strings.Contains(password, " "):
		t.fault("user", "has a colon or a blank, or its password a blank, which InfluxDB cannot take in one header")
	case user != "" && password != "":
		x.Token = user + ":" + password
	}
	h.Influx = x
}
