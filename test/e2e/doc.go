// Package e2e holds the tests that need a whole Kubernetes: real kubelets, real containers, the chart, the image, the
// stock client. They do what a user does, with the tools that a user has (kubectl, helm, node), and look at what a user
// sees. Behaviour that an API server alone can show is tested in package controllers, behaviour on the wire in
// test/conformance.
//
// hack/e2e (make e2e) prepares the cluster and the images and runs them; without it they skip themselves. The specs are
// one story, in order, in one process.
package e2e
