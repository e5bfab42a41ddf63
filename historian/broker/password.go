package broker

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Hashes are of two kinds, because brokers know different ones: bcrypt, which
// nats-server knows, and Mosquitto's "$7$iterations$salt$hash" (PBKDF2 with
// SHA-512, both parts in base64). A password that NewPassword draws has 128 random
// bits, which no costly hash makes harder to guess; one that a person chose should
// have a longer one than these.
const (
	mosquittoPrefix     = "$7$"
	mosquittoIterations = 101
	mosquittoSalt       = 12
	mosquittoHash       = 64
	mostIterations      = 1_000_000
)

// NewPassword draws a password and gives the hashes of it that stand in a users
// file, with a blank between them.
func NewPassword() (password, hashed string, err error) {
	password = rand.Text()
	hashed, err = HashPassword(password)
	return password, hashed, err
}

// HashPassword gives the hashes of a password that stand in a users file, for every
// kind of broker one, with a blank between them.
func HashPassword(password string) (string, error) {
	if password == "" || len(password) > maxPassword {
		return "", fmt.Errorf("password: %d bytes, must be 1 to %d", len(password), maxPassword)
	}
	crypt, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return "", err
	}
	salt := make([]byte, mosquittoSalt)
	_, _ = rand.Read(salt) // never fails
	sum, err := pbkdf2.Key(sha512.New, password, salt, mosquittoIterations, mosquittoHash)
	if err != nil {
		return "", err
	}
	b := base64.StdEncoding
	return fmt.Sprintf("%s %s%d$%s$%s", crypt, mosquittoPrefix, mosquittoIterations, b.EncodeToString(salt), b.EncodeToString(sum)), nil
}

// hashes are the hashes that a text consists of; none where it is not made of such.
func hashes(text string) []string {
	list := strings.Fields(text)
	for _, h := range list {
		if _, err := bcrypt.Cost([]byte(h)); err == nil {
			continue
		}
		if _, _, _, err := parseMosquitto(h); err != nil {
			return nil
		}
	}
	return list
}

// hashFor is the hash of a kind, by its prefix, of what a user has for a password:
// one of its hashes, or a new one of the password itself. Empty: there is none.
func hashFor(text, prefix string) (string, error) {
	if len(hashes(text)) == 0 && text != "" {
		var err error
		if text, err = HashPassword(text); err != nil {
			return "", err
		}
	}
	for _, h := range hashes(text) {
		if strings.HasPrefix(h, prefix) {
			return h, nil
		}
	}
	return "", nil
}

var errHash = errors.New("no hash of Mosquitto")

func parseMosquitto(h string) (iterations int, salt, sum []byte, err error) {
	parts := strings.Split(h, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "7" {
		return 0, nil, nil, errHash
	}
	iterations, err = strconv.Atoi(parts[2])
	salt, errSalt := base64.StdEncoding.DecodeString(parts[3])
	sum, errSum := base64.StdEncoding.DecodeString(parts[4])
	if errors.Join(err, errSalt, errSum) != nil || iterations < 1 || iterations > mostIterations || len(salt) == 0 || len(sum) != mosquittoHash {
		return 0, nil, nil, errHash
	}
	return iterations, salt, sum, nil
}

// matches reports whether a hash is that of a password.
func matches(hash, password string) bool {
	if !strings.HasPrefix(hash, mosquittoPrefix) {
		return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	}
	iterations, salt, sum, err := parseMosquitto(hash)
	if err != nil {
		return false
	}
	got, err := pbkdf2.Key(sha512.New, password, salt, iterations, mosquittoHash)
	return err == nil && subtle.ConstantTimeCompare(got, sum) == 1
}
