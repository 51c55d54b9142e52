// Files of age, by filippo.io/age, and the test vectors of the format (C2SP CCTV), laid out for a program of ours.
package main

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	agetest "c2sp.org/CCTV/age"
)

// vector is the head of one file; unknown keys are said, since the vectors' page tells to pass over such a file.
type vector struct {
	Name        string   `json:"name"`
	Expect      string   `json:"expect"`
	Payload     string   `json:"payload"`
	Identities  []string `json:"identities"`
	Passphrases []string `json:"passphrases"`
	IsArmored   bool     `json:"armored"`
	Unknown     []string `json:"unknown"`
}

func (v *vector) take(line string, isCompressed *bool) {
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "expect":
		v.Expect = value
	case "payload":
		v.Payload = value
	case "identity":
		v.Identities = append(v.Identities, value)
	case "passphrase":
		v.Passphrases = append(v.Passphrases, value)
	case "armored":
		v.IsArmored = value == "yes"
	case "compressed":
		*isCompressed = value == "zlib"
	case "comment", "file key":
	default:
		v.Unknown = append(v.Unknown, key)
	}
}

func readVector(name string) (vector, []byte, error) {
	v := vector{Name: name}
	data, err := fs.ReadFile(agetest.Vectors, name)
	if err != nil {
		return v, nil, err
	}
	head, body, found := bytes.Cut(data, []byte("\n\n"))
	if !found {
		return v, nil, errors.New(name + ": no empty line behind the head")
	}
	isCompressed := false
	for _, line := range strings.Split(string(head), "\n") {
		v.take(line, &isCompressed)
	}
	if !isCompressed {
		return v, body, nil
	}
	reader, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return v, nil, err
	}
	body, err = io.ReadAll(reader)
	return v, body, err
}

// vectorsCommand writes DIR/<name> for each vector, and DIR/index.json with what is expected of it.
func vectorsCommand(arguments []string) (string, error) {
	if len(arguments) != 1 {
		return "", errors.New("vectors wants a directory")
	}
	entries, err := fs.ReadDir(agetest.Vectors, ".")
	if err != nil {
		return "", err
	}
	var list []vector
	for _, entry := range entries {
		v, body, err := readVector(entry.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(arguments[0], v.Name), body, 0o644); err != nil {
			return "", err
		}
		list = append(list, v)
	}
	index, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	return "", os.WriteFile(filepath.Join(arguments[0], "index.json"), index, 0o644)
}

func ageSealCommand(arguments []string) (string, error) {
	var recipients []age.Recipient
	for _, text := range arguments {
		recipient, err := age.ParseX25519Recipient(text)
		if err != nil {
			return "", err
		}
		recipients = append(recipients, recipient)
	}
	writer, err := age.Encrypt(os.Stdout, recipients...)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(writer, os.Stdin); err != nil {
		return "", err
	}
	return "", writer.Close()
}

func ageOpenCommand(arguments []string) (string, error) {
	if len(arguments) != 1 {
		return "", errors.New("age-open wants an identity")
	}
	identity, err := age.ParseX25519Identity(arguments[0])
	if err != nil {
		return "", err
	}
	reader, err := age.Decrypt(os.Stdin, identity)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(os.Stdout, reader)
	return "", err
}
