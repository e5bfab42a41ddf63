package simulator

import (
	"bytes"
	"fmt"

	configs "millwright/firmware-configs"
	"millwright/plant"
	"millwright/plant/config"
)

// DemoSpeed is the plant time in seconds that the demonstration shows in one: a
// coil passes in some six seconds, and the models have learned within a minute.
const DemoSpeed = 20

// ExampleFault breaks the gearbox after the models have learned at DemoSpeed.
const ExampleFault = "HSM/FM/F3/GBX:bearing-outer@20m"

// MillTags are the tags of the simulated mill, with their assets.
func MillTags() ([]plant.Tag, error) {
	tags, _, err := Demo()
	return tags, err
}

// MillAssets are the assets of the simulated mill.
func MillAssets() ([]plant.Asset, error) {
	_, assets, err := Demo()
	return assets, err
}

// Demo are the tags and assets of the simulated mill.
func Demo() ([]plant.Tag, []plant.Asset, error) {
	const tagFile, assetFile = "demo/tags.csv", "demo/assets.toml"
	b, err := configs.Demo.ReadFile(tagFile)
	if err != nil {
		return nil, nil, fmt.Errorf("simulator: %w", err)
	}
	tags, err := config.ParseTags(tagFile, bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	if b, err = configs.Demo.ReadFile(assetFile); err != nil {
		return nil, nil, fmt.Errorf("simulator: %w", err)
	}
	assets, err := config.ParseAssets(assetFile, bytes.NewReader(b), tags)
	return tags, assets, err
}
