package config

import (
	"path/filepath"

	"millwright/plant"
)

// Check checks a file that describes assets or a class of them by itself, and
// returns the assets. other is set where the file has neither section and is
// something else, such as a process. Tags of assets are not known here: the
// process that reads the file knows them. own are class files of the plant's own.
func Check(path string, own ...string) (assets []plant.Asset, other bool, err error) {
	src, err := ReadFile(path)
	if err != nil {
		return nil, true, nil // Load says it better
	}
	var faults Faults
	root := parse(path, string(src), &faults)
	switch {
	case root == nil:
		return nil, true, nil
	case root.has("class"):
		library, err := Classes(own...)
		if err != nil {
			return nil, false, err
		}
		_, err = ParseClass(filepath.ToSlash(path), string(src), library)
		return nil, false, err
	case root.has("asset"):
		assets = readAssets([]source{{path, string(src)}}, nil, unseen, library(sources(own), &faults), &faults)
		return assets, false, faults.err()
	}
	return nil, true, nil
}
