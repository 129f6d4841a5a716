package main

import (
	"bytes"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/signalr-operator/signalr-operator/hack/install"
)

// objectsOf builds a folder of config/ and puts the image of the options into it.
func (o options) objectsOf(folder string) ([]*unstructured.Unstructured, error) {
	objects, err := install.Build(o.root, folder)
	if err != nil {
		return nil, err
	}
	deployment, err := install.Find(objects, "Deployment", install.Name)
	if err != nil {
		return nil, err
	}
	old, err := imageOf(deployment)
	if err != nil {
		return nil, err
	}
	if o.image == "" {
		repository, _, _ := strings.Cut(old, ":")
		o.image = repository + ":" + o.version
	}
	// The image stands in the container and in --edge-image, and nowhere by chance.
	text, err := yaml.Marshal(deployment.Object)
	if err != nil {
		return nil, fmt.Errorf("write the Deployment: %w", err)
	}
	deployment.Object = nil
	if err := yaml.Unmarshal(bytes.ReplaceAll(text, []byte(old), []byte(o.image)), &deployment.Object); err != nil {
		return nil, fmt.Errorf("put the image in: %w", err)
	}
	return objects, nil
}

func imageOf(deployment *unstructured.Unstructured) (string, error) {
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		return "", fmt.Errorf("the Deployment has %d containers: %w", len(containers), err)
	}
	container, _ := containers[0].(map[string]any)
	image, _ := container["image"].(string)
	if image == "" {
		return "", fmt.Errorf("the Deployment's container has no image")
	}
	return image, nil
}

// installFile returns install.yaml.
func installFile(o options) (map[string][]byte, error) {
	objects, err := o.objectsOf(install.Default)
	if err != nil {
		return nil, err
	}
	var w bytes.Buffer
	fmt.Fprintf(&w, "# signalr-operator %s: kubectl apply --server-side -f install.yaml\n", o.version)
	for _, object := range objects {
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return nil, fmt.Errorf("write %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		w.WriteString("---\n")
		w.Write(text)
	}
	return map[string][]byte{"install.yaml": w.Bytes()}, nil
}
