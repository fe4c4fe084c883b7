// Command go-oracle answers, one JSON line for each line it reads, what Go and the Go libraries of the Kubernetes
// world make of an input. The differential tests compare these answers with ours.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/a8m/envsubst/parse"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

type question struct {
	Op   string   `json:"op"`
	Text string   `json:"text"`
	Args []string `json:"args"`
}

type answer struct {
	Error *string `json:"error"`
	Value any     `json:"value"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var q question
		if err := json.Unmarshal(line, &q); err != nil {
			fmt.Fprintln(os.Stderr, "go-oracle: bad question:", err)
			os.Exit(2)
		}
		value, err := ask(q)
		a := answer{Value: value}
		if err != nil {
			text := err.Error()
			a.Error, a.Value = &text, nil
		}
		data, err := json.Marshal(a)
		if err != nil {
			fmt.Fprintln(os.Stderr, "go-oracle: bad answer:", err)
			os.Exit(2)
		}
		out.Write(data)
		out.WriteByte('\n')
		out.Flush()
	}
}

func ask(q question) (any, error) {
	switch q.Op {
	case "regexp":
		re, err := regexp.Compile(q.Text)
		if err != nil {
			return nil, err
		}
		found := make([][]int, len(q.Args))
		for i, s := range q.Args {
			found[i] = re.FindStringIndex(s)
		}
		return found, nil
	case "template":
		// Some templates never return: this process is then of no more use, and says so by its exit code.
		watchdog := time.AfterFunc(10*time.Second, func() {
			fmt.Fprintf(os.Stderr, "go-oracle: no answer for template %q\n", q.Text)
			os.Exit(3)
		})
		defer watchdog.Stop()
		return parse.New("template", q.Args, &parse.Restrictions{}).Parse(q.Text)
	case "yaml":
		data, err := yaml.YAMLToJSON([]byte(q.Text))
		if err != nil {
			return nil, err
		}
		return json.RawMessage(data), nil
	case "qualifiedName":
		return validation.IsQualifiedName(q.Text), nil
	case "labelValue":
		return validation.IsValidLabelValue(q.Text), nil
	case "subdomain":
		return validation.IsDNS1123Subdomain(q.Text), nil
	case "quote":
		return strconv.Quote(q.Text), nil
	case "join":
		return filepath.Join(append([]string{q.Text}, q.Args...)...), nil
	}
	return nil, fmt.Errorf("unknown op %q", q.Op)
}
