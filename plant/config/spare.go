package config

import (
	"net"
	"net/url"
)

// Spare is a box that waits to take the place of an edge, section [spare]. It
// reads nothing before it has adopted one.
type Spare struct {
	Name       string // of its account at the plant
	Plant      string // URL of the plant's page
	PlantCA    string // PEM file for https; empty: the system's
	PlantToken string
	TokenFile  string // of PlantToken, empty: none
	Data       string // folder
	Secrets    string // folder of the passwords and keys that the PLCs ask for

	access, common map[string]any // keys of [edge] about the broker: who it is there, and what is the same for all
}

func (root *table) spare() *Spare {
	t := root.table("spare")
	if t == nil {
		return nil
	}
	defer t.close()
	s := &Spare{
		Name:    t.need("name", "spare1"),
		Data:    t.folder("data", "millwright-data/edge"),
		Secrets: t.folder("secrets", "secrets"),
	}
	if err := checkName(s.Name); err != nil {
		t.fault("name", "%v", err)
	}
	s.Plant, s.PlantCA, s.PlantToken = t.plantAccess()
	if s.Plant == "" && !t.has("plant") {
		t.fault("plant", "is missing, for example plant = \"https://plant:8080\"")
	}
	s.TokenFile = t.at(t.text("plant_token_file", ""))
	t.access(true)
	s.access, s.common = map[string]any{}, map[string]any{}
	for _, key := range []string{"broker_user", "broker_password_file", "broker_certificate", "broker_key"} {
		s.access[key] = t.given(key)
	}
	for _, key := range []string{"broker", "broker_ca"} {
		s.common[key] = t.given(key)
	}
	return s
}

// given is the value of a key as it would stand in another file; nil where it is
// not there.
func (t *table) given(key string) any {
	v, ok := t.get(key)
	if name, isText := v.(string); isText && key != "broker" && key != "broker_user" {
		return absolute(t.at(name))
	}
	if !ok {
		return nil
	}
	return v
}

// plantAccess reads the keys that say where the plant's page is, for a box.
func (t *table) plantAccess() (address, ca, token string) {
	address = t.checked("plant", "", func(s string) error { return checkURL(s, "http", "https") })
	ca, token = t.readable("plant_ca"), t.secret("plant_token_file")
	u, err := url.Parse(address)
	if address == "" || err != nil {
		if t.has("plant_token_file") && !t.has("plant") {
			t.fault("plant", "is missing, for example plant = \"https://plant:8080\"")
		}
		return address, ca, token
	}
	if token != "" && u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")) {
		t.fault("plant", "would carry the token of plant_token_file in clear, allowed is https://%s (or a page on this machine)", u.Host)
	}
	return address, ca, token
}
