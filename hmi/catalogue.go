package hmi

// english is the catalogue of the server's own pages. The keys are the ones that
// other languages will have; a test holds the templates against it.
var english = map[string]string{
	"app.name":        "Millwright",
	"login.title":     "Log in",
	"login.name":      "Name",
	"login.password":  "Password",
	"login.submit":    "Log in",
	"login.wrong":     "Name or password is wrong.",
	"login.wait":      "Too many attempts. Try again in %s seconds.",
	"login.help":      "No account? On the server, run:",
	"login.command":   "millwright users --help",
	"setup.title":     "Make the first account",
	"setup.intro":     "Nobody has an account yet. This one will be the administrator.",
	"setup.code":      "The code is wrong. It is the one that the terminal shows since the last start.",
	"setup.code.hint": "Code from the terminal of the server",
	"setup.name":      "The name may have 1 to 64 letters, digits and . _ - @",
	"setup.password":  "The password is too short or too long.",
	"setup.min":       "At least %d characters.",
	"setup.again":     "Password again",
	"setup.repeat":    "The two passwords differ.",
	"setup.submit":    "Make the account",
	"empty.title":     "The pages are not built in",
	"empty.text":      "This program was built without the web app. Build it with: make. The interface works:",
}
