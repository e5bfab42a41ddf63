package broker

import (
	"fmt"
	"strings"
)

// Mosquitto is what a Mosquitto broker needs to hold the same users to the same
// topics.
type Mosquitto struct {
	ACL       []byte // acl_file
	Passwords []byte // password_file
}

// ForMosquitto writes the users in Mosquitto's terms. It can tell users by password
// only, so each needs one, as the hash that Mosquitto knows.
func ForMosquitto(users []User) (Mosquitto, error) {
	var acl, passwords strings.Builder
	acl.WriteString("# Made by millwright broker acl. Each user may do what stands below its name.\n")
	for _, u := range users {
		h, err := hashFor(u.Password, mosquittoPrefix)
		if err != nil {
			return Mosquitto{}, err
		}
		if h == "" {
			return Mosquitto{}, fmt.Errorf("user %q has no password hash that Mosquitto knows: revoke it and make it again with millwright broker add", u.Name)
		}
		fmt.Fprintf(&passwords, "%s:%s\n", u.Name, h)
		fmt.Fprintf(&acl, "\nuser %s\n", u.Name)
		publish, hear := u.grants()
		for _, f := range publish {
			fmt.Fprintf(&acl, "topic write %s\n", f)
		}
		for _, f := range hear {
			fmt.Fprintf(&acl, "topic read %s\n", f)
		}
	}
	return Mosquitto{ACL: []byte(acl.String()), Passwords: []byte(passwords.String())}, nil
}

// ForNATS writes the users in the terms of a nats-server's configuration file, which
// includes it. It tells users by password only, as a bcrypt hash.
func ForNATS(users []User) ([]byte, error) {
	var b strings.Builder
	b.WriteString("# Made by millwright broker acl. Include it in the configuration of each server.\nauthorization {\n  users = [\n")
	list := func(what string, p []string) {
		fmt.Fprintf(&b, "        %s: [", what)
		for i, s := range p {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q", s)
		}
		b.WriteString("]\n")
	}
	for _, u := range users {
		h, err := hashFor(u.Password, "$2")
		if err != nil {
			return nil, err
		}
		if h == "" {
			return nil, fmt.Errorf("user %q has no password hash that nats-server knows: revoke it and make it again with millwright broker add", u.Name)
		}
		p := u.permissions()
		fmt.Fprintf(&b, "    { user: %q, password: %q, allowed_connection_types: [\"MQTT\"], permissions: {\n      publish: {\n", u.Name, h)
		if len(p.Publish.Deny) > 0 {
			list("deny", p.Publish.Deny)
		} else {
			list("allow", p.Publish.Allow)
		}
		b.WriteString("      }\n      subscribe: {\n")
		list("allow", p.Subscribe.Allow)
		b.WriteString("      }\n    } }\n")
	}
	b.WriteString("  ]\n}\n")
	return []byte(b.String()), nil
}
