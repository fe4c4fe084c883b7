//go:build tools

// Package tools pins what the kubelet of the tests is built from.
package tools

import _ "k8s.io/kubernetes/cmd/kubelet"
