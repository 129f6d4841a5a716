// Package api tests the API as users meet it: manifests against a real kube-apiserver with the CRD and the warnings
// that ship. No controller runs. It needs etcd and kube-apiserver, which `make envtest-assets` brings.
package api
