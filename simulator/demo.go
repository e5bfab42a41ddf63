package simulator

import (
	"bytes"
	"fmt"

	configs "millwright/firmware-configs"
	"millwright/plant/config"
)

// DemoSpeed is the plant time in seconds that the demonstration shows in one: a
// coil passes in some six seconds, and the models have learned within a minute.
const DemoSpeed = 20

// ExampleFault breaks the gearbox after the models have learned at DemoSpeed.
const ExampleFault = "HSM/FM/F3/GBX:bearing-outer@20m"

// Demo is the works of the demonstration: three machines.
func Demo() (Works, error) {
	const tagFile, assetFile = "demo/tags.csv", "demo/assets.toml"
	b, err := configs.Demo.ReadFile(tagFile)
	if err != nil {
		return Works{}, fmt.Errorf("simulator: %w", err)
	}
	tags, err := config.ParseTags(tagFile, bytes.NewReader(b))
	if err != nil {
		return Works{}, err
	}
	if b, err = configs.Demo.ReadFile(assetFile); err != nil {
		return Works{}, fmt.Errorf("simulator: %w", err)
	}
	assets, err := config.ParseAssets(assetFile, bytes.NewReader(b), tags)
	return Works{Tags: tags, Assets: assets}, err
}
