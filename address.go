package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// checkAddress says why an address cannot be listened on, so that a process that
// cannot start has written nothing. from is where the address was named.
func checkAddress(from, addr string) error {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %s is in use: stop the other program or choose another address", from, addr)
	}
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return fmt.Errorf("%s: cannot listen on %q: %w: choose an address of this machine such as 127.0.0.1:8080", from, addr, err)
	}
	return l.Close()
}

// settle gives an address with port 0 a free port: what is told to people must be
// known before anybody listens.
func settle(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != "0" {
		return addr, nil // what is wrong with it, who listens says
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return addr, nil
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port), l.Close()
}

// opcAddress is the HOST:PORT of an OPC UA endpoint.
func opcAddress(url string) string {
	addr, _, _ := strings.Cut(strings.TrimPrefix(url, "opc.tcp://"), "/")
	return addr
}

// loopback reports whether only this machine can reach HOST:PORT.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
