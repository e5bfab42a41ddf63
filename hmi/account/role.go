package account

import "fmt"

// Role is what a user may do. Each role may do what the ones before it may.
type Role string

// Roles, least first.
const (
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // acknowledges alarms
	Engineer Role = "engineer" // limits and models
	Admin    Role = "admin"    // accounts
)

// Roles of machines. They may do what is theirs, and nothing that people may.
const (
	Box   Role = "box"   // an edge: keeps its checkpoint at the plant
	Spare Role = "spare" // a box that may take the place of an edge
)

// Roles in ascending order.
func Roles() []Role { return []Role{Viewer, Operator, Engineer, Admin} }

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	for _, r := range append(Roles(), Box, Spare) {
		if string(r) == s {
			return r, nil
		}
	}
	return "", fmt.Errorf("role: %q is not allowed; viewer, operator, engineer or admin; box or spare for machines", s)
}

// Covers reports whether r may do what need may. An unknown role covers nothing.
func (r Role) Covers(need Role) bool {
	switch need {
	case Spare:
		return r == Spare || r == Admin
	case Box:
		return r == Box || r == Spare || r == Admin
	}
	have, want := -1, len(Roles())
	for i, x := range Roles() {
		if x == r {
			have = i
		}
		if x == need {
			want = i
		}
	}
	return have >= want
}
