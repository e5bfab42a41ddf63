package port

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

const childEnv = "PORT_TEST_TAKE"

// TestMain tries to take a port where another process asks for it.
func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(childEnv)); err == nil {
		fmt.Println(take(n))
		return
	}
	os.Exit(m.Run())
}

// TestOnce: a port is given once, in this process and in others, also while its server
// is away.
func TestOnce(t *testing.T) {
	n := Free(t)
	if take(n) {
		t.Error("the same process was given the port again")
	}
	other := func() string {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", childEnv, n))
		out, err := child.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for range 2 {
		if other() != "false\n" {
			t.Error("another process was given the port")
		}
		server, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n))
		if err != nil {
			t.Fatal(err)
		}
		_ = server.Close()
	}
}

// TestStranger: a port that a stranger listens on is not given, and is once he has gone:
// its key was let go.
func TestStranger(t *testing.T) {
	for range 20 { // a key may be somebody's port
		n := low - 1 - rand.IntN(count)
		stranger, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n))
		if err != nil {
			continue
		}
		if take(n) {
			t.Fatal("given although somebody listens")
		}
		_ = stranger.Close()
		if take(n) {
			return
		}
	}
	t.Error("not given although nobody listens any more")
}
