// Command peers asks programs that are not ours: golang.org/x/mod/sumdb and transparency-dev/tessera about a vault,
// filippo.io/age about a sealed file. It says one line on standard output and exits 0, or why not, and exits 1.
//
//	peers sumdb [-verifier FILE] [-leaves N] [-pairs N] [-seed N] VAULT
//	peers fsck [-verifier FILE] [-kept] VAULT
//	peers proof -verifier FILE TEXT / peers prove -verifier FILE -index N LOG
//	peers write -key FILE [-name ORIGIN] [-add N] [-seed N] [-batch N] [-cosigned] [-collect] DIR
//	peers vectors DIR
//	peers age-seal RECIPIENT... / peers age-open IDENTITY    standard input to standard output
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"k8s.io/klog/v2"
)

var commands = map[string]func([]string) (string, error){
	"sumdb":    sumdbCommand,
	"fsck":     fsckCommand,
	"proof":    proofCommand,
	"prove":    proveCommand,
	"write":    writeCommand,
	"vectors":  vectorsCommand,
	"age-seal": ageSealCommand,
	"age-open": ageOpenCommand,
}

// quieten keeps Tessera's own traces out of a test's output.
func quieten() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("alsologtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// options reads the flags of one command and the one path behind them.
func options(flags *flag.FlagSet, arguments []string) (string, error) {
	if err := flags.Parse(arguments); err != nil {
		return "", err
	}
	if flags.NArg() != 1 {
		return "", fmt.Errorf("%s wants one path", flags.Name())
	}
	return flags.Arg(0), nil
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: peers sumdb|fsck|proof|prove|write|vectors|age-seal|age-open ...")
		os.Exit(64)
	}
	quieten()
	said, err := commands[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	if said != "" {
		fmt.Println(said)
	}
}
