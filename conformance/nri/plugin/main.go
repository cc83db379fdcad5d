// A plugin that tells what it hears as lines of JSON on its standard output, and does to containers what its flags say.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// table is a repeatable flag of name=value.
type table map[string]string

func (t table) String() string { return fmt.Sprint(map[string]string(t)) }

func (t table) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return errors.New("want EVENT=VALUE")
	}
	t[name] = value
	return nil
}

// change is an update of another container.
type change struct {
	// On is the event whose answer carries it.
	On string `json:"on"`
	// Container is a name; empty means the one that the event is about.
	Container string          `json:"container"`
	Resources json.RawMessage `json:"resources"`
}

type plugin struct {
	mu       sync.Mutex
	events   string
	adjust   string
	reject   string
	change   change
	fail     table
	delay    table
	hold     table
	exit     table
	failures map[string]int
	ids      map[string]string
}

var out sync.Mutex

func say(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	out.Lock()
	defer out.Unlock()
	fmt.Println(string(text))
}

func raw(message proto.Message) json.RawMessage {
	text, err := protojson.Marshal(message)
	if err != nil {
		panic(err)
	}
	return text
}

// hear reports an event and then behaves as the flags say.
func (p *plugin) hear(ctx context.Context, event string, pod *api.PodSandbox, container *api.Container, more map[string]any) error {
	line := map[string]any{"event": event, "at": time.Now().UnixMicro()}
	for name, value := range more {
		line[name] = value
	}
	if pod != nil {
		line["pod"] = raw(pod)
	}
	if container != nil {
		line["container"] = raw(container)
		p.mu.Lock()
		p.ids[container.GetName()] = container.GetId()
		p.mu.Unlock()
	}
	say(line)
	if _, found := p.exit[event]; found {
		os.Exit(3)
	}
	if text, found := p.delay[event]; found {
		pause, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		time.Sleep(pause)
	}
	if path, found := p.hold[event]; found {
		for ctx.Err() == nil {
			if _, err := os.Stat(path); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return p.failure(event)
}

// failure is what a flag asks for: always, or so many times.
func (p *plugin) failure(event string) error {
	text, found := p.fail[event]
	if !found {
		return nil
	}
	times, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures[event] >= times {
		return nil
	}
	p.failures[event]++
	return fmt.Errorf("%s fails on purpose", event)
}

// updates is the change that the flags ask for, if this event is the one to carry it.
func (p *plugin) updates(event string, of *api.Container) ([]*api.ContainerUpdate, error) {
	if p.change.On != event {
		return nil, nil
	}
	id := of.GetId()
	if p.change.Container != "" {
		p.mu.Lock()
		id = p.ids[p.change.Container]
		p.mu.Unlock()
	}
	resources := &api.LinuxResources{}
	if err := protojson.Unmarshal(p.change.Resources, resources); err != nil {
		return nil, err
	}
	return []*api.ContainerUpdate{{ContainerId: id, Linux: &api.LinuxContainerUpdate{Resources: resources}}}, nil
}

func (p *plugin) Configure(_ context.Context, config, runtime, version string) (api.EventMask, error) {
	say(map[string]any{"event": "Configure", "runtime": runtime, "version": version})
	if p.events == "" {
		return 0, nil
	}
	return api.ParseEventMask(p.events)
}

func (p *plugin) Synchronize(ctx context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	podIDs, containerIDs := []string{}, []string{}
	for _, pod := range pods {
		podIDs = append(podIDs, pod.GetId())
	}
	p.mu.Lock()
	for _, container := range containers {
		containerIDs = append(containerIDs, container.GetId())
		p.ids[container.GetName()] = container.GetId()
	}
	p.mu.Unlock()
	if err := p.hear(ctx, "Synchronize", nil, nil, map[string]any{"pods": podIDs, "containers": containerIDs}); err != nil {
		return nil, err
	}
	return p.updates("Synchronize", nil)
}

func (p *plugin) Shutdown(_ context.Context) { say(map[string]any{"event": "Shutdown"}) }

func (p *plugin) RunPodSandbox(ctx context.Context, pod *api.PodSandbox) error {
	return p.hear(ctx, "RunPodSandbox", pod, nil, nil)
}

func (p *plugin) UpdatePodSandbox(ctx context.Context, pod *api.PodSandbox, overhead, resources *api.LinuxResources) error {
	return p.hear(ctx, "UpdatePodSandbox", pod, nil, map[string]any{"overhead": raw(overhead), "resources": raw(resources)})
}

func (p *plugin) PostUpdatePodSandbox(ctx context.Context, pod *api.PodSandbox) error {
	return p.hear(ctx, "PostUpdatePodSandbox", pod, nil, nil)
}

func (p *plugin) StopPodSandbox(ctx context.Context, pod *api.PodSandbox) error {
	return p.hear(ctx, "StopPodSandbox", pod, nil, nil)
}

func (p *plugin) RemovePodSandbox(ctx context.Context, pod *api.PodSandbox) error {
	return p.hear(ctx, "RemovePodSandbox", pod, nil, nil)
}

func (p *plugin) CreateContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	if err := p.hear(ctx, "CreateContainer", pod, container, nil); err != nil {
		return nil, nil, err
	}
	updates, err := p.updates("CreateContainer", container)
	if err != nil || p.adjust == "" {
		return nil, updates, err
	}
	adjust := &api.ContainerAdjustment{}
	return adjust, updates, protojson.Unmarshal([]byte(p.adjust), adjust)
}

func (p *plugin) PostCreateContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.hear(ctx, "PostCreateContainer", pod, container, nil)
}

func (p *plugin) StartContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.hear(ctx, "StartContainer", pod, container, nil)
}

func (p *plugin) PostStartContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.hear(ctx, "PostStartContainer", pod, container, nil)
}

func (p *plugin) UpdateContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container, resources *api.LinuxResources) ([]*api.ContainerUpdate, error) {
	if err := p.hear(ctx, "UpdateContainer", pod, container, map[string]any{"resources": raw(resources)}); err != nil {
		return nil, err
	}
	return p.updates("UpdateContainer", container)
}

func (p *plugin) PostUpdateContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.hear(ctx, "PostUpdateContainer", pod, container, nil)
}

func (p *plugin) StopContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container) ([]*api.ContainerUpdate, error) {
	if err := p.hear(ctx, "StopContainer", pod, container, nil); err != nil {
		return nil, err
	}
	return p.updates("StopContainer", container)
}

func (p *plugin) RemoveContainer(ctx context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.hear(ctx, "RemoveContainer", pod, container, nil)
}

func (p *plugin) ValidateContainerAdjustment(ctx context.Context, request *api.ValidateContainerAdjustmentRequest) error {
	more := map[string]any{"adjust": raw(request.GetAdjust()), "owners": raw(request.GetOwners())}
	if err := p.hear(ctx, "ValidateContainerAdjustment", request.GetPod(), request.GetContainer(), more); err != nil {
		return err
	}
	if p.reject != "" {
		return errors.New(p.reject)
	}
	return nil
}

// obey makes the unsolicited changes that come in on standard input, a line each, and tells what became of them.
func (p *plugin) obey(s stub.Stub) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		wish := change{}
		if err := json.Unmarshal(lines.Bytes(), &wish); err != nil {
			panic(err)
		}
		p.mu.Lock()
		id := p.ids[wish.Container]
		p.mu.Unlock()
		resources := &api.LinuxResources{}
		if err := protojson.Unmarshal(wish.Resources, resources); err != nil {
			panic(err)
		}
		failed, err := s.UpdateContainers([]*api.ContainerUpdate{{ContainerId: id, Linux: &api.LinuxContainerUpdate{Resources: resources}}})
		say(map[string]any{"event": "Updated", "failed": len(failed), "error": fmt.Sprint(err)})
	}
}

func main() {
	p := &plugin{fail: table{}, delay: table{}, hold: table{}, exit: table{}, failures: map[string]int{}, ids: map[string]string{}}
	var socket, name, index, text string
	flag.StringVar(&socket, "socket", "", "NRI socket")
	flag.StringVar(&name, "name", "recorder", "name of the plugin")
	flag.StringVar(&index, "index", "10", "two digits")
	flag.StringVar(&p.events, "events", "", "events to subscribe to; empty: all")
	flag.StringVar(&p.adjust, "adjust", "", "adjustment of every container, as JSON")
	flag.StringVar(&p.reject, "reject", "", "reason to reject every container with")
	flag.StringVar(&text, "change", "", "update of a container, as JSON")
	flag.Var(p.fail, "fail", "EVENT=TIMES: fail so often")
	flag.Var(p.delay, "delay", "EVENT=DURATION: answer late")
	flag.Var(p.hold, "hold", "EVENT=FILE: answer when the file is there")
	flag.Var(p.exit, "exit", "EVENT=: exit instead of answering")
	flag.Parse()
	if text != "" {
		if err := json.Unmarshal([]byte(text), &p.change); err != nil {
			panic(err)
		}
	}
	s, err := stub.New(p, stub.WithPluginName(name), stub.WithPluginIdx(index), stub.WithSocketPath(socket), stub.WithOnClose(func() {
		say(map[string]any{"event": "Closed"})
	}))
	if err != nil {
		panic(err)
	}
	go p.obey(s)
	if err := s.Run(context.Background()); err != nil {
		say(map[string]any{"event": "Failed", "error": err.Error()})
		os.Exit(1)
	}
}
