package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
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
	Data   string `default:"./millwright-data" type:"path" help:"Data folder of millwright up." xor:"where"`
	Config string `short:"c" type:"existingfile" help:"Configuration file of the HMI." xor:"where"`
}

func (f *accountsFlags) open() (*account.Book, error) {
	dir := filepath.Join(f.Data, "hmi")
	if f.Config != "" {
		cfg, err := config.Load(f.Config)
		if err != nil {
			return nil, err
		}
		if cfg.HMI == nil {
			return nil, fmt.Errorf("%s has no [hmi] section", f.Config)
		}
		dir = cfg.HMI.Data
	}
	return account.Open(dir)
}

type usersAddCmd struct {
	accountsFlags
	Name          string `arg:"" help:"Name of the user."`
	Role          string `required:"" help:"viewer, operator, engineer or admin."`
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
	book, err := c.open()
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
	book, err := c.open()
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
