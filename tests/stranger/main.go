// A reader of logs that is not ours: the code that Go checks its module checksums with.
// Reads claims as JSON from standard input, and answers with a list: "" where a claim holds, else why not.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type claim struct {
	Key   string
	Newer string // A signed checkpoint.
	Older string // Another, for a consistency proof.
	Entry []byte // Else what was logged, for an inclusion proof.
	Index int64
	Proof [][]byte
}

func main() {
	var claims []claim
	if err := json.NewDecoder(os.Stdin).Decode(&claims); err != nil {
		panic(err)
	}
	answers := make([]string, len(claims))
	for i, each := range claims {
		if err := check(each); err != nil {
			answers[i] = err.Error()
		}
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}

func check(c claim) error {
	size, root, err := open(c.Newer, c.Key)
	if err != nil {
		return err
	}
	proof := make([]tlog.Hash, len(c.Proof))
	for i, each := range c.Proof {
		copy(proof[i][:], each)
	}
	if c.Older == "" {
		return tlog.CheckRecord(proof, size, root, c.Index, tlog.RecordHash(c.Entry))
	}
	before, earlier, err := open(c.Older, c.Key)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, size, root, before, earlier)
}

func open(signed, key string) (size int64, root tlog.Hash, err error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return
	}
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		err = fmt.Errorf("the checkpoint is of %s", lines[0])
		return
	}
	if _, err = fmt.Sscan(lines[1], &size); err != nil {
		return
	}
	root, err = tlog.ParseHash(lines[2])
	return
}
