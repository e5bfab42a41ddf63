package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millwright/hmi/account"
	"millwright/plant/config"
)

type usersCmd struct {
	Add   usersAddCmd   `cmd:"" help:"Make an account; the password is read from standard input."`
	Token usersTokenCmd `cmd:"" help:"Make a token for programs; the one before is void."`
}

// accountsFlags say whose accounts are meant.
type accountsFlags struct {
	Data   string `help:"Data folder of millwright up (default ./millwright-data)." placeholder:"DIR" xor:"where"`
	Config string `short:"c" help:"Configuration file with the section [hmi]." placeholder:"FILE.toml" xor:"where"`
}

// folder is where the accounts lie.
func (f *accountsFlags) folder() (string, error) {
	if f.Config == "" {
		return filepath.Join(cmp.Or(f.Data, "./millwright-data"), "hmi"), nil
	}
	cfg, err := config.Load(f.Config)
	if err != nil {
		return "", err
	}
	if cfg.HMI == nil {
		return "", fmt.Errorf("%s has no [hmi] section, which holds the accounts", f.Config)
	}
	return cfg.HMI.Data, nil
}

type usersAddCmd struct {
	accountsFlags
	Name          string `arg:"" help:"Name of the user."`
	Role          string `required:"" help:"viewer, operator, engineer or admin." placeholder:"ROLE"`
	PasswordStdin bool   `required:"" help:"Read the password from standard input."`
}

// Run makes an account.
func (c *usersAddCmd) Run(e *env) error {
	role, err := account.ParseRole(c.Role)
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(e.stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	dir, err := c.folder()
	if err != nil {
		return err
	}
	book, err := account.Open(dir)
	if err != nil {
		return err
	}
	defer book.Close()
	if err := book.Add(e.ctx, c.Name, role, firstLine(line)); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s may log in as %s\n", c.Name, role)
	return nil
}

type usersTokenCmd struct {
	accountsFlags
	Name string `arg:"" help:"Name of the user."`
}

// Run prints the new token, once.
func (c *usersTokenCmd) Run(e *env) error {
	dir, err := c.folder()
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds no accounts: name the folder with --data or -c, or add a user first", dir)
	}
	book, err := account.Open(dir)
	if err != nil {
		return err
	}
	defer book.Close()
	token, err := book.Token(e.ctx, c.Name)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, token)
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r")
}
