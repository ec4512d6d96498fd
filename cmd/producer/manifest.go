package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"reauth/internal/campaign"
)

// manifest is a manifest that can be read more than once.
type manifest struct {
	name    string // for people
	file    *os.File
	spooled bool // file is a copy of ours
	options campaign.Options
}

// openManifest opens the file at path. What can be read only once (standard
// input, as -, and pipes) is copied into a file first, readable by this user
// only: every row is judged before the first one is published. Without a
// campaign in the options the manifest gets one by its name and content.
func openManifest(path string, in io.Reader, o campaign.Options) (*manifest, error) {
	m := &manifest{name: path, options: o}
	var err error
	if path == "-" {
		m.name = "stdin"
		err = m.spool(in)
	} else {
		err = m.open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the manifest: %w", err)
	}
	if o.Campaign == "" {
		if err = m.rewind(); err == nil {
			m.options.Campaign, err = campaign.DefaultID(m.name, m.file)
		}
		if err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	return m, nil
}

func (m *manifest) open(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return errors.Join(err, f.Close())
	case info.IsDir():
		return errors.Join(fmt.Errorf("%s is a folder: give a file", path), f.Close())
	case info.Mode().IsRegular():
		m.file = f
		return nil
	}
	return errors.Join(m.spool(f), f.Close())
}

// spool copies in into a file of ours.
func (m *manifest) spool(in io.Reader) error {
	// CreateTemp gives nobody else any right to the file.
	f, err := os.CreateTemp("", "reauth-manifest-*")
	if err != nil {
		return err
	}
	m.file, m.spooled = f, true
	if _, err := io.Copy(f, in); err != nil {
		return errors.Join(fmt.Errorf("copying %s: %w", m.name, err), m.close())
	}
	return nil
}

// close closes the file, and removes it if it is a copy.
func (m *manifest) close() error {
	err := m.file.Close()
	if m.spooled {
		err = errors.Join(err, os.Remove(m.file.Name()))
	}
	return err
}

func (m *manifest) rewind() error {
	_, err := m.file.Seek(0, io.SeekStart)
	return err
}

// each calls visit with every row from the first on. It ends early with the
// error of visit.
func (m *manifest) each(visit func(campaign.Row) error) error {
	if err := m.rewind(); err != nil {
		return fmt.Errorf("reading manifest %s: %w", m.name, err)
	}
	rows, err := campaign.NewReader(m.file, m.options)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	for {
		row, err := rows.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := visit(row); err != nil {
			return err
		}
	}
}
