// Package topology gives the ranks of a communicator places: in a grid (Cart), or in a
// graph (Graph, DistGraph). The places say who is whose neighbour, which the
// neighbourhood collectives of package collectives and the ghost layers of a Halo are
// made of; and they let ranks that talk to each other be put on one host (Reorder). Its
// source is chapter 8 of MPI 4.1:
//
//	MPI_Cart_create            NewCart
//	MPI_Cart_sub               Cart.Sub
//	MPI_Cart_coords            Cart.CoordsOf, Cart.Coords
//	MPI_Cart_rank              Cart.RankOf
//	MPI_Cart_shift             Cart.Shift
//	MPI_Cartdim_get            len(Cart.Dims())
//	MPI_Cart_get               Cart.Dims, Cart.Periods, Cart.Coords
//	MPI_Cart_map               CartMap
//	MPI_Dims_create            Dims
//	MPI_Graph_create           NewGraph
//	MPI_Graph_neighbors        Graph.Neighbors
//	MPI_Graph_neighbors_count  len(Graph.Neighbors(rank))
//	MPI_Graphdims_get          Graph.Size
//	MPI_Graph_get              Graph.Neighbors
//	MPI_Graph_map              GraphMap
//	MPI_Dist_graph_create_adjacent  NewDistGraphAdjacent
//	MPI_Dist_graph_create      NewDistGraph
//	MPI_Dist_graph_neighbors   DistGraph.Sources, DistGraph.Destinations
//	MPI_Topo_test              Of, with a type switch
//
// A grid of all ranks, two rows and columns of ghosts around each rank's part of an array,
// and their exchange:
//
//	dims, err := topology.Dims(world.Size(), 0, 0)
//	cart, err := topology.NewCart(ctx, world, dims, []bool{false, false})
//	part := make([]float64, (rows+4)*(columns+4))
//	halo, err := topology.NewHalo(ctx, cart, topology.Layers{Inner: []int{rows, columns}, Width: 2}, part)
//	err = halo.Exchange(ctx)
//
// Where the grid has fewer places than there are ranks, NewCart returns nil to the others.
//
// A topology is a communicator of its own with its structure beside it. Comm returns the
// communicator, on which all calls can be made; its Dup has the topology too, and Free
// of the communicator frees both.
package topology
