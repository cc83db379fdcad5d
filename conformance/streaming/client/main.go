// streaming-client talks to a URL that CRI's Exec, Attach or PortForward answered, with the client code of kubectl.
//
//	streaming-client -transport=spdy|websocket -stdin -stdout -stderr -tty exec URL
//	streaming-client -transport=spdy|websocket port-forward URL PORT
//
// exec (which serves attach as well) ends with the command's exit code; 200 means that the stream failed otherwise, and
// stderr's last line says how. port-forward prints the local port that it listens on, and stops when its stdin ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

const failed = 200

var (
	transport = flag.String("transport", "spdy", "spdy or websocket")
	ca        = flag.String("ca", "", "PEM file of the authority that signed the server's certificate")
	cert      = flag.String("cert", "", "PEM file of the client's certificate")
	key       = flag.String("key", "", "PEM file of its key")
	stdin     = flag.Bool("stdin", false, "pass stdin on")
	stdout    = flag.Bool("stdout", false, "print stdout")
	stderr    = flag.Bool("stderr", false, "print stderr")
	tty       = flag.Bool("tty", false, "with a terminal")
	sizes     = flag.String("sizes", "", "file of terminal sizes in JSON, one a line, sent half a second apart")
	protocol  = flag.String("protocol", "", "the only protocol to offer; empty: all")
	count     = flag.Bool("count", false, "print how many bytes stdout has and how fast they came instead of them")
	perSecond = flag.Int("read", 0, "read stdout at so many bytes a second; 0: as fast as it comes")
)

func main() {
	flag.Parse()
	config := &restclient.Config{TLSClientConfig: restclient.TLSClientConfig{CAFile: *ca, CertFile: *cert, KeyFile: *key}}
	var err error
	switch flag.Arg(0) {
	case "exec":
		err = runExec(config, flag.Arg(1))
	case "port-forward":
		err = runPortForward(config, flag.Arg(1), flag.Arg(2))
	default:
		err = fmt.Errorf("unknown command %q", flag.Arg(0))
	}
	var exit exec.CodeExitError
	if errors.As(err, &exit) {
		os.Exit(exit.Code)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(failed)
	}
}

func runExec(config *restclient.Config, address string) error {
	executor, err := newExecutor(config, address)
	if err != nil {
		return err
	}
	options := remotecommand.StreamOptions{Tty: *tty}
	if *stdin {
		options.Stdin = os.Stdin
	}
	counter := &countingWriter{}
	if *stdout {
		options.Stdout = io.Writer(os.Stdout)
		if *count {
			options.Stdout = counter
		}
		if *perSecond > 0 {
			options.Stdout = &slowWriter{options.Stdout, *perSecond}
		}
	}
	if *stderr {
		options.Stderr = os.Stderr
	}
	if *sizes != "" {
		queue, err := readSizes(*sizes)
		if err != nil {
			return err
		}
		options.TerminalSizeQueue = queue
	}
	err = executor.StreamWithContext(context.Background(), options)
	if *count {
		fmt.Printf("%d %.1f\n", counter.bytes, float64(counter.bytes)/1e6/counter.seconds())
	}
	return err
}

func newExecutor(config *restclient.Config, address string) (remotecommand.Executor, error) {
	if *transport == "websocket" {
		if *protocol != "" {
			return remotecommand.NewWebSocketExecutorForProtocols(config, http.MethodGet, address, *protocol)
		}
		return remotecommand.NewWebSocketExecutor(config, http.MethodGet, address)
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if *protocol != "" {
		roundTripper, upgrader, err := spdy.RoundTripperFor(config)
		if err != nil {
			return nil, err
		}
		return remotecommand.NewSPDYExecutorForProtocols(roundTripper, upgrader, http.MethodPost, parsed, *protocol)
	}
	return remotecommand.NewSPDYExecutor(config, http.MethodPost, parsed)
}

func runPortForward(config *restclient.Config, address, port string) error {
	parsed, err := url.Parse(address)
	if err != nil {
		return err
	}
	dialer, err := newDialer(config, parsed)
	if err != nil {
		return err
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.NewForStreaming(dialer, []string{"0:" + port}, stop, ready, io.Discard, os.Stderr)
	if err != nil {
		return err
	}
	go func() {
		<-ready
		ports, err := forwarder.GetPorts()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(failed)
		}
		fmt.Println(ports[0].Local)
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	return forwarder.ForwardPorts()
}

func newDialer(config *restclient.Config, address *url.URL) (httpstream.Dialer, error) {
	if *transport == "websocket" {
		return portforward.NewSPDYOverWebsocketDialerForStreaming(address, config)
	}
	roundTripper, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	return spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, address), nil
}

type countingWriter struct {
	bytes       int64
	first, last time.Time
}

func (w *countingWriter) Write(data []byte) (int, error) {
	w.last = time.Now()
	if w.bytes == 0 {
		w.first = w.last
	}
	w.bytes += int64(len(data))
	return len(data), nil
}

func (w *countingWriter) seconds() float64 {
	return max(w.last.Sub(w.first).Seconds(), 1e-6)
}

type slowWriter struct {
	io.Writer
	perSecond int
}

func (w *slowWriter) Write(data []byte) (int, error) {
	time.Sleep(time.Duration(len(data)) * time.Second / time.Duration(w.perSecond))
	return w.Writer.Write(data)
}

type sizeQueue struct {
	sizes []remotecommand.TerminalSize
	first bool
}

func readSizes(path string) (*sizeQueue, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	queue := &sizeQueue{first: true}
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var size remotecommand.TerminalSize
		if err := json.Unmarshal(scanner.Bytes(), &size); err != nil {
			return nil, err
		}
		queue.sizes = append(queue.sizes, size)
	}
	return queue, nil
}

// Next is called again as soon as a size was sent, and blocks for good after the last one, as a terminal that stays as it is.
func (q *sizeQueue) Next() *remotecommand.TerminalSize {
	if !q.first {
		time.Sleep(500 * time.Millisecond)
	}
	q.first = false
	if len(q.sizes) == 0 {
		select {}
	}
	size := q.sizes[0]
	q.sizes = q.sizes[1:]
	return &size
}
