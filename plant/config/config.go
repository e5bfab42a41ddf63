// Package config reads what describes a process: a TOML file with a section for
// each role, the tag lists in CSV beside it and the asset file in TOML. Load
// checks all of it and reports every fault at once; what it returns needs no
// further checking and no further file but certificates.
//
// Relative paths are relative to the file that names them. Passwords stand in
// files of their own, never in the TOML. Durations are texts such as "100ms" or
// "14d", sizes such as "4GB".
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// Config is one process. A role whose section is absent is nil.
type Config struct {
	File      string
	PLCs      []PLC
	Edge      *Edge
	Broker    *Broker
	Historian *Historian
	HMI       *HMI
	Notify    *Notify
	Simulator *Simulator
	Spare     *Spare

	Files []File // that were read

	lines map[string]int // of the keys
}

// PLC is an OPC UA server to read, section [[plc]]. It needs [edge].
type PLC struct {
	Name string // also the Sparkplug device id
	URL  string // opc.tcp://HOST:PORT

	Standby     []string // URLs of servers with the same address space, read when that one fails
	StandbyMode string   // "cold", "warm", "hot"; empty: as they say themselves

	// Tags of the CSV files, or Discover: find them by browsing from DiscoverRoot
	// (a NodeId, the Objects folder where empty).
	Tags         []plant.Tag
	TagsFiles    []string
	Discover     bool
	DiscoverRoot string

	SecurityPolicy  string // one of Policies, or with an Exception one of WeakPolicies; None also on loopback
	SecurityMode    string // "None", "Sign", "SignAndEncrypt"
	User, Password  string // user token by name, empty for anonymous
	UserCertificate string // user token by certificate, files
	UserKey         string
	Certificate     string // application certificate of the edge, files; empty: the edge makes its own
	Key             string
	Trust           string // folder of trusted server certificates; empty: below the edge's data folder
	Publishing      time.Duration

	Conditions        bool   // take the alarms of the PLC itself too
	ConditionSeverity uint16 // from this severity on, 1 … 1000

	// What a server's certificate may lack.
	AnyHost    bool   // it need not name the host of the URL
	Revocation string // "required": its issuer must have a list of revoked ones; "if-present"
	AllowSHA1  bool   // it may be signed with SHA-1

	Profile   Profile      // of the kind of server
	Budget    plant.Budget // the profile's, and what [plc.budget] says against it
	Exception *Exception   // nil: none
}

// Edge is the agent beside the PLCs, section [edge].
type Edge struct {
	Name, Group string // Sparkplug edge node and group id
	Access      Access // to the brokers, which it walks over
	PrimaryHost string // host id of the historian; empty: births at once

	Delivery         string        // DeliverAcknowledged, DeliverState
	PrimaryKeepAlive time.Duration // of the primary host, with DeliverState
	LinkKbit         int           // what the link to the plant bears, kbit/s; 0: not known
	NewestFirst      bool          // after an outage the newest values are sent first
	Seal             Seal

	Data        string // folder
	QueueMax    int64  // bytes on disk
	Reserve     int64  // bytes of the disk that telemetry leaves free
	Queue       Queue  // quotas of what else it holds
	Assets      []plant.Asset
	AssetsFiles []string
	ClassFiles  []string // classes of the plant's own, beside those that ship
	Speed       float64  // plant seconds per second of wall time; 1 except with a simulator
	Models      string   // URL of the plant's page, which serves the model repository; empty: the edge keeps to what it learns
	ModelsRoot  string   // file: the root of trust of that repository
	ModelsCA    string   // PEM file for https; empty: the system's
	Orders      string   // "plant": engineers may decide about PLCs on the HMI, by way of that repository; "box": on this machine alone
	Beacon      *Beacon

	// Where the box keeps what a spare needs to take its place; empty: nowhere.
	Plant      string // URL of the plant's page
	PlantCA    string // PEM file for https; empty: the system's
	PlantToken string // of the box's account; empty: none, for a page without login
	Box        string // name of the box, which is that of its account: a spare that takes its place has another
}

// Historian is the plant's store and alarm book, section [historian].
type Historian struct {
	Data    string // folder
	Reserve int64  // bytes of the disk that samples leave free
	Access  Access // to the brokers
	Cluster bool   // they are the nodes of one cluster: it is on one of them, and not on all
	HostID  string
	Reorder time.Duration // how long a message of an edge may be missing before its births are asked for
	Store   string        // StorePebble, StoreInflux
	Influx  *Influx       // with StoreInflux
	Seal    Seal
}

// HMI is the web server, section [hmi]. It needs [historian].
type HMI struct {
	Listen         string // HOST:PORT
	Data           string // folder of the accounts
	TLSCertificate string // PEM files
	TLSKey         string
	NoLogin        bool     // every route open, on loopback only
	ClassFiles     []string // classes of the plant's own, for the causes of alarms
}

// Simulator is the simulated mill, section [simulator].
type Simulator struct {
	Listen          string    // opc.tcp://HOST:PORT
	Works           string    // "demo", "reference"
	Start           time.Time // of the works by its own clock; zero: as the simulator has it
	Seed            uint64
	Speed           float64
	Faults          []string // ASSET:FAULT[:SEVERITY]@OFFSET[+GROWTH][~natural]; not checked here, the simulator knows them
	Scenario        string   // file, empty: none; not checked here
	Seeded          bool     // Seed was given
	FaultsPerYear   float64  // that come by chance to each machine, a quarter as many to its sensors
	Ledger, Samples string   // files, empty: not written
	Modes           []string // security modes offered: "None", "Sign", "SignAndEncrypt"
	PKI             string   // folder of certificates, empty: in memory
	RequireTrusted  bool     // clients' certificates must lie in PKI/trusted
	NoAnonymous     bool
	Users           map[string]string // passwords by name
}

// DefaultPublishing is the publishing interval of a PLC that names none.
const DefaultPublishing = 100 * time.Millisecond

// Load reads the file of a process and all files that it names. The error is
// Faults where the content is wrong; with them comes what could be read, so that
// a caller can look for further ones, or nil.
func Load(path string) (*Config, error) {
	var faults Faults
	src, err := ReadFile(path)
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		faults.add(path, 0, "", "%v", err)
		return nil, faults.err()
	}
	c := load(path, string(src), &faults)
	return c, faults.err()
}

// Fault is a fault at a key such as "simulator.fault" that only the caller can
// find.
func (c *Config) Fault(key, format string, args ...any) Fault {
	return Fault{File: c.File, Line: c.lines[key], Key: key, What: fmt.Sprintf(format, args...)}
}

func load(path, src string, faults *Faults) *Config {
	root := parse(path, src, faults)
	if root == nil {
		return nil
	}
	return root.process()
}

// process reads all sections.
func (root *table) process() *Config {
	path, faults := root.file, root.faults
	c := &Config{File: path, lines: root.lines}
	for _, t := range root.tables("plc") {
		c.PLCs = append(c.PLCs, t.plc())
	}
	c.Broker = root.broker()
	c.Edge = root.edge(c)
	c.Historian = root.historian(c.Broker != nil)
	c.HMI = root.hmi(c.Historian)
	c.Notify = root.notify(c.Historian)
	c.Simulator = root.simulator()
	c.Spare = root.spare()
	c.Files = root.named
	root.close()
	switch {
	case len(root.m) == 0:
		faults.add(path, 1, "", "names no role, allowed are the sections [[plc]] with [edge], [broker], [historian], [hmi], [notify], [simulator], [spare]")
	case c.Spare != nil && (c.Edge != nil || len(c.PLCs) > 0):
		root.fault("spare", "stands beside an edge, allowed is one of them: what a spare becomes it is told by millwright edge adopt")
	case len(c.PLCs) > 0 && c.Edge == nil && !root.has("edge"):
		root.fault("plc", "has no [edge] section that reads it")
	case c.Edge != nil && !root.has("plc"):
		root.fault("edge", "has nothing to read, it needs at least one [[plc]]")
	}
	seen := map[string]string{}
	names := map[string]bool{}
	for i, p := range c.PLCs {
		t := &table{document: root.document, path: index("plc", i)}
		if names[p.Name] && p.Name != "" {
			t.fault("name", "%q is the name of two PLCs", p.Name)
		}
		names[p.Name] = true
		for _, tag := range p.Tags {
			if other, ok := seen[tag.Path]; ok && other != p.Name {
				t.fault("tags", "%s names the tag %s, which the PLC %q has too", strings.Join(p.TagsFiles, ", "), tag.Path, other)
				break
			}
			seen[tag.Path] = p.Name
		}
	}
	return c
}

func (t *table) plc() PLC {
	defer t.close()
	p := PLC{
		Name: t.need("name", "plc1"),
		URL:  t.need("url", "opc.tcp://192.168.10.20:4840"),

		TagsFiles:    t.files("tags"),
		Discover:     t.flag("discover"),
		DiscoverRoot: t.checked("discover_root", "", checkNode),

		SecurityPolicy: t.oneOf("security_policy", "None", slices.Concat(Policies, WeakPolicies)...),
		User:           t.text("user", ""),
		Password:       t.secret("password_file"),
		Trust:          t.folder("trust", ""),
		Publishing:     t.duration("publishing", DefaultPublishing, 10*time.Millisecond, time.Minute),

		Conditions:        t.flag("conditions"),
		ConditionSeverity: uint16(t.integer("conditions_severity", 1, 1, 1000)),

		AnyHost:    t.flag("any_host"),
		Revocation: t.oneOf("revocation", "required", "required", "if-present"),
		AllowSHA1:  t.flag("allow_sha1"),
	}
	if err := checkName(p.Name); err != nil {
		t.fault("name", "%v", err)
	} else if p.Name == "models" || p.Name == "connections" {
		t.fault("name", "%q is a device of the edge's own, allowed is any other name", p.Name)
	}
	if err := checkURL(p.URL, "opc.tcp"); err != nil && p.URL != "" {
		t.fault("url", "%v", err)
	}
	mode := "None"
	if p.SecurityPolicy != "None" {
		mode = "SignAndEncrypt"
	}
	p.SecurityMode = t.oneOf("security_mode", mode, "None", "Sign", "SignAndEncrypt")
	if (p.SecurityMode == "None") != (p.SecurityPolicy == "None") {
		t.fault("security_mode", "%q does not go with security_policy %q, allowed are None with None, Sign and SignAndEncrypt with the others", p.SecurityMode, p.SecurityPolicy)
	}
	p.Certificate, p.Key = t.pair("certificate", "key")
	p.UserCertificate, p.UserKey = t.pair("user_certificate", "user_key")
	t.credentials("user", "password_file")
	if p.User != "" && p.UserCertificate != "" {
		t.fault("user", "stands beside user_certificate, allowed is one of them")
	}
	switch {
	case len(p.TagsFiles) == 0 && !p.Discover && !t.has("tags"):
		t.fault("tags", "is missing, allowed is a CSV file, or discover = true")
	case t.has("tags") && p.Discover:
		t.fault("discover", "stands beside tags, allowed is one of them")
	case p.DiscoverRoot != "" && !p.Discover:
		t.fault("discover_root", "is of no use without discover = true")
	}
	p.standby(t)
	p.Exception = t.exception(&p)
	if t.has("conditions_severity") && !t.has("conditions") {
		t.fault("conditions_severity", "is of no use without conditions = true")
	}
	p.Tags = readTags(sources(p.TagsFiles), t.faults)
	p.Profile, p.Budget = t.profile()
	for _, what := range p.Overload(p.Tags) {
		t.fault("tags", "%s", what)
	}
	return p
}

// credentials checks that a user has a password.
func (t *table) credentials(user, password string) {
	switch {
	case t.has(user) && !t.has(password):
		t.fault(password, "is missing, %s needs the file of its password", user)
	case t.has(password) && !t.has(user):
		t.fault(user, "is missing, %s needs it", password)
	}
}

func (root *table) edge(c *Config) *Edge {
	t := root.table("edge")
	if t == nil {
		return nil
	}
	defer t.close()
	e := &Edge{
		Name:        t.need("name", "edge1"),
		Group:       t.checked("group", "plant", checkName),
		PrimaryHost: t.checked("primary_host", "millwright", checkName),
		Data:        t.folder("data", "millwright-data/edge"),
		QueueMax:    t.size("queue_max", 4e9, 16<<20),
		Reserve:     t.size("reserve", 256<<20, 16<<20),
		Queue:       t.queue(),
		AssetsFiles: t.files("assets"),
		ClassFiles:  t.files("classes"),
		Speed:       t.number("speed", 1, 0.001, 1000),
		Models:      t.checked("models", "", func(s string) error { return checkURL(s, "http", "https") }),
		ModelsRoot:  t.readable("models_root"),
		ModelsCA:    t.readable("models_ca"),
		Orders:      t.oneOf("orders", "plant", "plant", "box"),
		Beacon:      t.beacon(),
		Seal:        t.seal(),
	}
	e.Plant, e.PlantCA, e.PlantToken = t.plantAccess()
	if e.Models != "" && !t.has("models_root") {
		t.fault("models_root", "is missing, models needs the file root.json of the plant's repository (millwright models init made it)")
	}
	if e.Models == "" && t.has("models_root") {
		t.fault("models", "is missing, for example models = \"http://plant:8080\"")
	}
	if err := checkName(e.Name); err != nil {
		t.fault("name", "%v", err)
	}
	e.delivery(t, c.Broker != nil)
	e.Box = t.checked("box", cmp.Or(e.Access.User, e.Name), checkName)
	classes := library(sources(e.ClassFiles), t.faults)
	if len(e.ClassFiles) > 0 {
		classes() // its faults are told even where no asset is of them
	}
	if len(e.AssetsFiles) == 0 {
		e.assign(c, nil)
		return e
	}
	var tags []plant.Tag
	scope := listed
	for _, p := range c.PLCs {
		tags = append(tags, p.Tags...)
		if p.Discover {
			scope = discovered
		}
	}
	e.Assets = readAssets(sources(e.AssetsFiles), tags, scope, classes, t.faults)
	e.assign(c, e.Assets)
	return e
}

func (e *Edge) assign(c *Config, assets []plant.Asset) {
	for _, p := range c.PLCs {
		Assign(p.Tags, assets)
	}
}

func (root *table) historian(local bool) *Historian {
	t := root.table("historian")
	if t == nil {
		return nil
	}
	defer t.close()
	h := &Historian{
		Data:    t.folder("data", "millwright-data/historian"),
		Reserve: t.size("reserve", 64<<20, 16<<20),
		HostID:  t.checked("host_id", "millwright", checkName),
		Reorder: t.duration("reorder_timeout", 2*time.Second, 100*time.Millisecond, time.Minute),
	}
	h.Seal = t.hostSeal()
	t.store(h)
	h.Access = t.access(local)
	h.Cluster = t.oneOf("broker_list", "independent", "independent", "cluster") == "cluster"
	if t.has("broker_list") && len(h.Access.Brokers) < 2 {
		t.fault("broker_list", "is of no use with one broker, it says what several in broker are to each other")
	}
	return h
}

func (root *table) hmi(h *Historian) *HMI {
	t := root.table("hmi")
	if t == nil {
		return nil
	}
	defer t.close()
	m := &HMI{
		Listen:  t.checked("listen", "127.0.0.1:8080", checkListen),
		Data:    t.folder("data", "millwright-data/hmi"),
		NoLogin: t.flag("no_login"),

		ClassFiles: t.files("classes"),
	}
	if len(m.ClassFiles) > 0 {
		library(sources(m.ClassFiles), t.faults)()
	}
	m.TLSCertificate, m.TLSKey = t.tlsPair("tls_certificate", "tls_key")
	if m.NoLogin && !loopback(m.Listen) && checkListen(m.Listen) == nil {
		t.fault("no_login", "opens every route to the network, allowed on 127.0.0.1 only and not on %s", m.Listen)
	}
	if h == nil && !root.has("historian") {
		root.fault("hmi", "has no [historian] section to show")
	}
	return m
}

func (root *table) simulator() *Simulator {
	t := root.table("simulator")
	if t == nil {
		return nil
	}
	defer t.close()
	s := &Simulator{
		Listen: t.checked("listen", "opc.tcp://127.0.0.1:4840", func(s string) error { return checkURL(s, "opc.tcp") }),
		Works:  t.oneOf("works", "demo", "demo", "reference"),
		Seed:   uint64(t.integer("seed", 1, 0, math.MaxInt64)),
		Speed:  t.number("speed", 1, 0.001, 1000),
		Faults: t.texts("fault"),
		Seeded: t.has("seed"),

		Scenario:      t.readable("scenario"),
		FaultsPerYear: t.number("faults_per_year", 0, 0, 1000),

		Ledger:  t.creatable("ledger"),
		Samples: t.creatable("samples"),
		Modes:   t.texts("security_modes"),
		PKI:     t.folder("pki", ""),
		Users:   t.users("users"),

		RequireTrusted: t.flag("require_trusted"),
		NoAnonymous:    t.flag("no_anonymous"),
	}
	if start := t.text("start", ""); start != "" {
		var err error
		if s.Start, err = ParseStart(start); err != nil {
			t.fault("start", "%v", err)
		}
	}
	if s.Scenario != "" && t.has("works") {
		t.fault("works", "stands beside scenario, which names its works: leave it out")
	}
	for _, m := range s.Modes {
		if m != "None" && m != "Sign" && m != "SignAndEncrypt" {
			t.fault("security_modes", "%q, allowed are None, Sign and SignAndEncrypt", m)
		}
	}
	if len(s.Modes) == 0 {
		s.Modes = []string{"None"}
	}
	if s.RequireTrusted && s.PKI == "" {
		t.fault("require_trusted", "needs the folder pki")
	}
	if s.NoAnonymous && len(s.Users) == 0 && s.PKI == "" {
		t.fault("no_anonymous", "leaves nobody to log in, it needs users or the folder pki")
	}
	return s
}
