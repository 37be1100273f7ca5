// kube-proxy, as Kubernetes builds it (kubernetes/cmd/kube-proxy/proxy.go): the proxy modes
// kube-proxy-* run it, and tests compare what it programs with what ours do.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
)

func main() {
	os.Exit(cli.Run(app.NewProxyCommand()))
}
