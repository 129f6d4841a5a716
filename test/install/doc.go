// Package install holds the tests of what is installed, against a real kube-apiserver: config/default and the chart are
// accepted object by object, the operator starts as its Deployment says with the rights that it is given, the roles for
// people let them do what their names say and no more, and kubectl-signalr, the program itself, does what it says.
//
// It looks at how things are installed: what the operator does with an instance is tested in controllers. One API
// server serves all of it; specs use namespaces of their own and run one after the other.
package install
