// Package deploy holds the tests of everything that surrounds the code when it
// is shipped: the image, the Compose file, the Kubernetes manifests and the
// import arrows. It is a module of its own, so that the Kubernetes types never
// choose a version for the service.
//
// The go command caches a test's result by the files that it reads inside its
// own module, and what is tested here lies outside: run with -count=1, as
// make test-deploy does.
package deploy
