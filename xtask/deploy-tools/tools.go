//go:build tools

// Package tools pins the programs with which the manifests are tried: see ../src/deploy.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
